"""What an operator changes in the table is kept in the bucket as well, for `cascan rebuild`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascan.errors import GatewayUnavailable
from cascan_cli.output.text import print_message


def back_up(keep: Callable[..., None], *args: Any) -> None:
    """Keep it; where the bucket cannot be written, say so: the change itself stands."""
    try:
        keep(*args)
    except GatewayUnavailable as exc:
        print_message(
            f"done, but not kept for a rebuild of the table ({exc}); repeat it once the bucket can be written"
        )
