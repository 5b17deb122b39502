"""Findings in the formats of other tools.

    a selection ─▶ records.Record, one after the other ─▶ registry.render_records ─▶ bytes of one document

Each format has a module with one function that turns records into bytes as they come. So an export
of a million findings takes as much memory as one of ten.
"""
