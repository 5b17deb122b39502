"""Services of 127.0.0.1 whose banners try to become something else than text in the reports of a scan."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

SCRIPT = "window.attacked=1;alert(1)"
# Each is sent to every client. nmap recognises some as services, and takes their product and version from them
BANNERS = {
    "script": f"220 <script>{SCRIPT}</script> FTP server ready\r\n",
    "end of script": f"220 </script><script>{SCRIPT}</script>\r\n",
    "event handler": f"220 <img src=x onerror={SCRIPT}><svg/onload={SCRIPT}>\r\n",
    "attribute": f"""220 "' onmouseover="{SCRIPT}" autofocus onfocus='{SCRIPT}' x="\r\n""",
    "comment": f"220 <!--<script>--><!--{SCRIPT}\r\n",
    "json": f'220 "]}},"plain":{{"x":"\\u003cscript\\u003e{SCRIPT}\\\r\n',
    "placeholders": "220 {{data}} {{title}} {{summary}} ${alert(1)} %s {0}\r\n",
    "style": "220 </style><style>*{display:none}</style><base href=//evil.test>\r\n",
    "refresh": f"220 <meta http-equiv=refresh content=0;url=javascript:{SCRIPT}>\r\n",
    "link": f"220 javascript:{SCRIPT} data:text/html,<script>{SCRIPT}</script> <a href=javascript:{SCRIPT}>\r\n",
    "direction": "220 \u202egnp.exe\u202c \u2066x\u2069 \u200f\u2028\u2029\ufeff\r\n",
    "control": "220 \x1b]0;title\x07\x1b[2J\x00\x08\x7f\x9b31m\r\n",
    "formula": "220 =cmd|' /C calc'!A0 @SUM(1) +1 -1\r\n",
    "long": "220 " + "<b>" * 3_000 + "\r\n",
    "ssh": f"SSH-2.0-<img/src=x/onerror={SCRIPT}>\r\n",
    "http": f"HTTP/1.0 200 OK\r\nServer: <script>{SCRIPT}</script>\r\n\r\n<title></title><script>{SCRIPT}</script>",
}


@contextmanager
def serve_banners() -> Iterator[dict[str, int]]:
    """The port of each banner, on 127.0.0.1, as long as the block runs."""
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in BANNERS}
    threads = [Thread(target=_serve, args=(listener, BANNERS[name].encode())) for name, listener in listeners.items()]
    for thread in threads:
        thread.start()
    try:
        yield {name: listener.getsockname()[1] for name, listener in listeners.items()}
    finally:
        for listener in listeners.values():
            with suppress(OSError):  # wakes a thread that waits for a connection
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in threads:
            thread.join()


def _serve(listener: socket.socket, banner: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):  # nmap resets connections
            connection.sendall(banner)
