"""Small services on loopback for nmap to find, each on a port of its own, in threads that die with the process."""

from __future__ import annotations

import shlex
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

PAGE = "<html><head><title>Fixtures &amp; caf\N{LATIN SMALL LETTER E WITH ACUTE}</title></head></html>".encode()
BANNER = b'fixture <banner> "1.0" \x01\xc3\xa9\r\n'
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fixture.example -days 30"
)
FTP_ANSWERS = {
    "USER": b"331 Any name will do.\r\n",
    "PASS": b"230 Welcome.\r\n",
    "SYST": b"215 UNIX Type: L8\r\n",
    "QUIT": b"221 Bye.\r\n",
}


class Page(BaseHTTPRequestHandler):
    """One page for every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's own name)
        pass


@contextmanager
def services() -> Iterator[dict[str, int]]:
    """Service → port: http, https, banner, ftp, udp, silent-udp, deaf (drops what comes), closed.

    And http6 on ::1, where the machine has that.
    """
    with TemporaryDirectory() as folder:
        yield {
            "http": _web("127.0.0.1"),
            "https": _web("127.0.0.1", certificate(Path(folder))),
            "banner": _tcp(_greet),
            "ftp": _tcp(ftp),
            "udp": _udp(answering=True),
            "silent-udp": _udp(answering=False),
            "deaf": _deaf(),
            "closed": _closed(),
            **_on_ipv6(),
        }


def _on_ipv6() -> dict[str, int]:
    """Nothing in many a container."""
    try:
        return {"http6": _web("::1")}
    except OSError:
        return {}


class _WebServer6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def _web(address: str, context: ssl.SSLContext | None = None) -> int:
    server = (_WebServer6 if ":" in address else ThreadingHTTPServer)((address, 0), Page)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # probes hang up, and may
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def certificate(folder: Path) -> ssl.SSLContext:
    """A self-signed certificate for fixture.example."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [*shlex.split(CERTIFICATE), "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def _tcp(talk: Callable[[socket.socket], None]) -> int:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_guarded, args=(talk, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return _port_of(server)


def _guarded(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError):
        talk(connection)


def _greet(connection: socket.socket) -> None:
    connection.sendall(BANNER)
    connection.recv(1024)


def ftp(connection: socket.socket) -> None:
    """Enough of FTP for a login as anybody and one listing."""
    connection.sendall(b"220 (vsFTPd 3.0.3)\r\n")
    listing: socket.socket | None = None
    for line in connection.makefile("r", encoding="latin-1"):
        verb = line[:4].strip().upper()
        if verb == "PASV":
            listing = socket.create_server(("127.0.0.1", 0))
            high, low = divmod(_port_of(listing), 256)
            connection.sendall(f"227 Entering Passive Mode (127,0,0,1,{high},{low}).\r\n".encode())
        elif verb == "LIST" and listing:
            connection.sendall(b"150 Here it comes.\r\n")
            with listing.accept()[0] as data:
                data.sendall(b"-rw-r--r--    1 0        0              12 Jan 01  2026 readme.txt\r\n")
            connection.sendall(b"226 That was all.\r\n")
        else:
            connection.sendall(FTP_ANSWERS.get(verb, b"500 What?\r\n"))


def _udp(*, answering: bool) -> int:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            data, peer = server.recvfrom(2048)
            if answering:
                server.sendto(b"fixture:" + data[:16], peer)

    threading.Thread(target=serve, daemon=True).start()
    return _port_of(server)


def _deaf() -> int:
    """A listener whose queue is full: the kernel drops every further SYN, as a packet filter would."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    for _ in range(3):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(server.getsockname())
        _kept.append(waiting)
    _kept.append(server)
    return _port_of(server)


def _closed() -> int:
    """Bound, so that nobody else gets it, and never listened on."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    _kept.append(server)
    return _port_of(server)


def _port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


_kept: list[socket.socket] = []  # open until the process ends
