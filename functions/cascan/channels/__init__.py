"""Ways to send a message: a webhook over HTTPS, a command on this machine.

Each tries once. Whether a message is sent again is decided in cascan.messages.
"""
