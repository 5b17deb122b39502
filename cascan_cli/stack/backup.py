"""Changes that an operator makes in the table are also stored in the bucket, for `cascan rebuild`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascan.errors import GatewayUnavailable
from cascan_cli.output.text import print_message


def back_up(keep: Callable[..., None], *args: Any) -> None:
    """Call `keep` to store the record.

    If that fails, print a message: the change itself has been made.
    """
    try:
        keep(*args)
    except GatewayUnavailable as exc:
        print_message(
            f"done, but not backed up for a rebuild of the table ({exc}); repeat it once the bucket is writable"
        )
