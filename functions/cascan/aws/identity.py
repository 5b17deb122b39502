"""Who calls, in the words in which SQS tells a receiver of the sender."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors


def sender_id(*, is_local: bool) -> str:
    """What SQS gives as SenderId of messages sent with these credentials: a user's id, or a role's with its session.

    The emulator of a local stack gives the account, whoever sends: such a stack answers nobody but its owner.

    Raises: GatewayUnavailable.
    """
    with translate_errors("identity"):
        caller = clients.session().client("sts").get_caller_identity()
    return str(caller["Account"] if is_local else caller["UserId"])
