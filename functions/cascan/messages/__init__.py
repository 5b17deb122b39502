"""Messages: what changed, said once for each subject and channel.

decide_exposure.py  what is to be said of an exposure next
notices.py          what an event says by itself
review_scan.py      what an ended scan says: of its series
say.py              one turn of a thread: decided, stored, sent, stored
fields.py           what a message can say of its subject
render.py           a message in the format of its channel; text from scanned hosts is inert in each
"""
