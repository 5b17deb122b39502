"""Messages about what changed, each sent once for its subject and channel.

decide_exposure.py  the next message about an exposure
say.py              one turn of a thread: decide, store the attempt, send it, store its end
fields.py           the fields of a message, from its subject
render.py           a message in the format of its channel; text from scanned hosts is inert in each
"""
