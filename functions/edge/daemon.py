"""Send segments of traces to the X-Ray daemon that Lambda runs beside a function.

Source: the developer guide of X-Ray, "Sending trace data to X-Ray": a header line, then the
document, in one UDP packet.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

HEADER = b'{"format":"json","version":1}\n'


def send_to_daemon(segment: Mapping[str, Any]) -> None:
    """Nothing waits for an answer, and nothing fails: a trace may be lost."""
    host, _, port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").rpartition(":")
    if not host or not port.isdigit():
        return
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(HEADER + json.dumps(segment).encode(), (host, int(port)))
