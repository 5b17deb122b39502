"""The caller's identity, as SQS reports the sender of a message."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors


def sender_id(*, is_local: bool) -> str:
    """The SenderId of messages sent with these credentials: the id of a user or a role session.

    The emulator of a local stack reports the account as the sender of every message. Only its owner
    can reach such a stack.

    Raises: GatewayUnavailable.
    """
    with translate_errors("identity"):
        caller = clients.session().client("sts").get_caller_identity()
    return str(caller["Account"] if is_local else caller["UserId"])
