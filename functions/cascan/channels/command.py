"""A command on this machine: it is run without a shell, and reads the message as JSON on its standard input."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence

from cascan.limits import SEND_TIMEOUT_S
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage

TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h: the command asks for another try
PASSED_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
MAX_QUOTED_CHARS = 200


class CommandChannel:
    """MessageChannel that runs a command. Its output is not kept; the end of its errors is, if it fails."""

    def __init__(self, argv: Sequence[str], *, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._argv = list(argv)
        self._timeout_s = timeout_s

    def send(self, message: OutgoingMessage) -> Delivery:
        document = {
            "message_id": message.message_id,
            "key": message.key,
            "title": message.title,
            "content_type": message.content_type,
            "body": message.body,
        }
        # Credentials of the function are not passed on
        environment = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
        try:
            result = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                self._argv,
                check=False,
                input=json.dumps(document).encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=self._timeout_s,
            )
        except subprocess.TimeoutExpired:
            return Delivery(DeliveryState.UNKNOWN, f"{self._argv[0]} did not end within {self._timeout_s:.0f} s")
        except OSError as exc:
            return Delivery(DeliveryState.BUSY, f"{self._argv[0]} cannot be started: {exc.strerror}")
        if result.returncode == 0:
            return Delivery(DeliveryState.DELIVERED)
        lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
        quoted = "".join(char for char in (lines or [""])[-1] if char.isprintable())[:MAX_QUOTED_CHARS]
        reason = f"{self._argv[0]} ended with {result.returncode}" + (f": {quoted}" if quoted else "")
        is_busy = result.returncode == TEMPORARY_FAILURE
        return Delivery(DeliveryState.BUSY if is_busy else DeliveryState.REFUSED, reason)
