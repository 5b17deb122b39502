"""Messages about what changed, each sent once for its subject and channel.

decide_exposure.py  the next message about an exposure
notices.py          the notices that follow from an event alone
review_scan.py      the notices about an ended scan, from its series and its certificates
send_next.py        one turn of a thread: decide, store the attempt, send it, store its end
fields.py           the fields of a message, from its subject
render.py           a message in the format of its channel; text from scanned hosts is inert in each
"""
