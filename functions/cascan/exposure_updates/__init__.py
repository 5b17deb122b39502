"""What is expected, and what looks saw: judged, stored as exposures, and announced.

The rules of it are pure, in cascan.exposure; this room brings them together with the table, the bus
and the severity rules.
"""
