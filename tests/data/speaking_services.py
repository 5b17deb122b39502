"""Services that nmap's scripts have something to say of, each at its well-known port on 127.0.0.1.

The real programs where they are installed (sshd, smbd, snmpd, OpenSSL's), and stand-ins that speak just enough of a
protocol. They need the ports for themselves: make_scripts.py runs them in a network namespace of its own.
"""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tests.data.services import ftp

LOOPBACK = "127.0.0.1"
STARTS_WITHIN_S = 20
DEFAULT_ACCOUNT = "Basic " + b64encode(b"tomcat:tomcat").decode()
SSH_WEAK = """
Port 22
ListenAddress 127.0.0.1
HostKey {folder}/rsa
HostKeyAlgorithms ssh-rsa,rsa-sha2-256
KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,curve25519-sha256
Ciphers 3des-cbc,aes128-cbc,aes128-ctr
MACs hmac-md5,hmac-sha1,hmac-sha2-256
PasswordAuthentication yes
PidFile none
"""
SSH_STRONG = """
Port 2222
ListenAddress 127.0.0.1
HostKey {folder}/ed25519
KexAlgorithms curve25519-sha256
Ciphers aes256-gcm@openssh.com
MACs hmac-sha2-256-etm@openssh.com
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
"""
SSH_SHORT = """
Port 2200
ListenAddress 127.0.0.1
HostKey {folder}/short
HostKeyAlgorithms ssh-rsa,rsa-sha2-256
RequiredRSASize 1024
PidFile none
"""
SAMBA = """
[global]
  interfaces = lo
  bind interfaces only = yes
  smb ports = 445
  server min protocol = NT1
  server signing = {signing}
  lock directory = {folder}
  state directory = {folder}
  cache directory = {folder}
  private dir = {folder}
  pid directory = {folder}
  ncalrpc dir = {folder}/ncalrpc
  log file = /dev/null
  disable spoolss = yes
  netbios name = FIXTURE
  map to guest = Bad User
[public]
  comment = Everybody's
  path = {folder}/public
  guest ok = yes
  read only = no
"""
SNMP = "agentaddress udp:127.0.0.1:161\nrocommunity public\nsysDescr Fixture switch, version 1\n"
VNC_NO_AUTHENTICATION = b"\x01\x01"  # one security type: none
REDIS_INFO = b"redis_version:6.0.16\r\narch_bits:64\r\nprocess_id:7\r\nconnected_clients:1\r\nrole:master\r\n"
MEMCACHED = {"pid": "7", "uptime": "60", "time": "1767225600", "version": "1.6.18", "pointer_size": "64",
             "rusage_user": "0.1", "rusage_system": "0.1", "curr_connections": "2",
             "total_connections": "3"}  # fmt: skip


@contextmanager
def speaking_services(folder: Path, signing: str = "auto", *, smb_only: bool = False) -> Iterator[None]:
    """All of them, until the block ends; keys lie in the folder. `signing`: what the SMB server says of it."""
    with ExitStack() as running:
        for program in [_samba(folder, signing), *(() if smb_only else _programs(folder))]:
            process = subprocess.Popen(
                program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            running.callback(process.wait)
            running.callback(process.terminate)
        if not smb_only:
            start_stand_ins(folder)
        for port in (445,) if smb_only else (22, 445, 2200, 2222, 4433):
            _wait_for(port)
        yield


def start_stand_ins(folder: Path) -> None:
    serve_web(80, Page)
    serve_web(8080, Tomcat)
    serve_web(8000, InternetInformationServices)
    serve_web(443, Page, _tls(folder, "good"))
    serve_web(8443, Page, _tls(folder, "old", "ALL:eNULL:aNULL:@SECLEVEL=0"))
    serve_web(9443, Page, _tls(folder, "future"))
    small = _tls(folder, "good", "DHE:@SECLEVEL=0")
    small.maximum_version = ssl.TLSVersion.TLSv1_2
    small.load_dh_params(str(folder / "dh.pem"))
    serve_web(4433, Page, small)
    for port, talk in STAND_INS.items():
        serve_tcp(port, talk)


def _samba(folder: Path, signing: str) -> list[str]:
    (folder / "public").mkdir(mode=0o777, exist_ok=True)
    (folder / "public").chmod(0o777)
    (folder / "smb.conf").write_text(SAMBA.format(folder=folder, signing=signing))
    return ["smbd", "--foreground", "--no-process-group", "--configfile", str(folder / "smb.conf")]


def _programs(folder: Path) -> Iterator[list[str]]:
    for name, text in (("weak", SSH_WEAK), ("strong", SSH_STRONG), ("short_key", SSH_SHORT)):
        (folder / name).write_text(text.format(folder=folder))
        yield ["/usr/sbin/sshd", "-D", "-f", str(folder / name)]
    (folder / "snmpd.conf").write_text(SNMP)
    yield ["snmpd", "-f", "-C", "-c", str(folder / "snmpd.conf")]


def _wait_for(port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on port {port}.")


# ---- web


class Page(BaseHTTPRequestHandler):
    """A page with a title, a few security headers, methods that write, and a repository that was left lying about."""

    server_version, sys_version = "FixtureServer/2.4.1", ""
    repository: ClassVar[dict[str, bytes]] = {
        "/.git/HEAD": b"ref: refs/heads/main\n",
        "/.git/config": b"[core]\n\tbare = false\n",
        "/.git/description": b"A fixture\n",
    }

    def do_GET(self) -> None:
        if self.path.startswith("/.git/"):
            self.answer(200 if self.path in self.repository else 404, self.repository.get(self.path, b"no"))
        else:
            self.answer(200 if self.path == "/" else 404, b"<html><head><title>Fixture</title></head></html>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.answer(200, b"", Allow="GET, HEAD, POST, OPTIONS, PUT, DELETE, TRACE")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "X-Frame-Options": "DENY", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's own name)
        pass


class Tomcat(Page):
    """A manager application behind the account it came with."""

    def do_GET(self) -> None:
        if not self.path.startswith("/manager/html"):
            self.answer(404, b"no")
        elif self.headers.get("Authorization") == DEFAULT_ACCOUNT:
            self.answer(200, b"<html>Tomcat Web Application Manager</html>")
        else:
            self.answer(401, b"no", WWW_Authenticate='Basic realm="Tomcat Manager Application"')


class InternetInformationServices(Page):
    """Answers a range beyond 64 bits as a server without the patch MS15-034 does."""

    server_version, sys_version = "Microsoft-IIS/8.5", ""

    def do_GET(self) -> None:
        if "18446744073709551615" in self.headers.get("Range", ""):
            self.answer(416, b"The Requested Range Not Satisfiable: Requested Range Not Satisfiable")
        else:
            super().do_GET()


def serve_web(port: int, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> None:
    """Answers on 127.0.0.1 for as long as the process lives."""
    server = ThreadingHTTPServer((LOOPBACK, port), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # probes hang up, and may
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _tls(folder: Path, name: str, ciphers: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        context.set_ciphers(ciphers)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


# ---- stand-ins


def serve_tcp(port: int, talk: Callable[[socket.socket], None], address: str = LOOPBACK) -> None:
    """Each connection in a thread of its own, for as long as the process lives."""
    server = socket.create_server((address, port))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_guarded, args=(talk, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def _guarded(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    connection.settimeout(STARTS_WITHIN_S)
    with connection, suppress(OSError, struct.error):
        talk(connection)


def _redis(connection: socket.socket) -> None:
    """Tells anyone what INFO tells."""
    for line in connection.makefile("rb"):
        if line.strip().upper() == b"INFO":
            connection.sendall(b"$%d\r\n%s\r\n" % (len(REDIS_INFO), REDIS_INFO))
        elif line.strip().upper() in (b"CLIENT", b"CONFIG", b"PUBSUB", b"CLUSTER"):
            connection.sendall(b"-ERR unknown command\r\n")


def _closed_redis(connection: socket.socket) -> None:
    """Wants a password first."""
    for line in connection.makefile("rb"):
        if not line.startswith((b"*", b"$")):
            connection.sendall(b"-NOAUTH Authentication required.\r\n")


def _mysql(connection: socket.socket) -> None:
    """Greets as MySQL 5.7 does, and lets everybody in."""
    greeting = b"\x0a5.7.33-fixture\x00" + struct.pack("<I", 7) + b"12345678\x00" + b"\xff\xf7\x21\x02\x00\xff\x81\x15"
    greeting += b"\x00" * 10 + b"123456789012\x00mysql_native_password\x00"
    connection.sendall(struct.pack("<I", len(greeting))[:3] + b"\x00" + greeting)
    if connection.recv(4096):
        connection.sendall(b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00")
        connection.recv(4096)


def _mongodb(connection: socket.socket) -> None:
    """Lists its databases to anyone."""
    while header := connection.recv(16, socket.MSG_WAITALL):
        length, request, _, _ = struct.unpack("<iiii", header)
        asked = connection.recv(length - 16, socket.MSG_WAITALL)
        if b"listDatabases" in asked:
            entry = _bson(_text("name", b"ledger"), _double("sizeOnDisk", 83_886_080), _bool("empty", value=False))
            answer = _bson(b"\x04databases\x00" + _bson(b"\x030\x00" + entry), _double("ok", 1))
        elif b"buildinfo" in asked.lower():
            answer = _bson(_text("version", b"4.4.1"), _double("bits", 64), _double("ok", 1))
        else:
            answer = _bson(_double("uptime", 747), _double("ok", 1))
        body = struct.pack("<iqii", 8, 0, 0, 1) + answer
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, request, 1) + body)


def _bson(*fields: bytes) -> bytes:
    body = b"".join(fields) + b"\x00"
    return struct.pack("<i", len(body) + 4) + body


def _text(name: str, value: bytes) -> bytes:
    return b"\x02" + name.encode() + b"\x00" + struct.pack("<i", len(value) + 1) + value + b"\x00"


def _double(name: str, value: float) -> bytes:
    return b"\x01" + name.encode() + b"\x00" + struct.pack("<d", value)


def _bool(name: str, *, value: bool) -> bytes:
    return b"\x08" + name.encode() + b"\x00" + bytes([value])


def _vnc(connection: socket.socket) -> None:
    connection.sendall(b"RFB 003.008\n")
    connection.recv(12)
    connection.sendall(VNC_NO_AUTHENTICATION)
    connection.recv(1)


def _x11(connection: socket.socket) -> None:
    connection.recv(12)
    connection.sendall(b"\x01")


def _memcached(connection: socket.socket) -> None:
    for line in connection.makefile("rb"):
        settings = line.startswith(b"stats settings")
        stats = (
            {"maxconns": "1024", "tcpport": "11211", "udpport": "0", "auth_enabled_sasl": "no"}
            if settings
            else MEMCACHED
        )
        connection.sendall("".join(f"STAT {name} {value}\r\n" for name, value in stats.items()).encode() + b"END\r\n")


def _rsync(connection: socket.socket) -> None:
    connection.sendall(b"@RSYNCD: 31.0\n")
    lines = connection.makefile("rb")
    lines.readline()
    lines.readline()
    connection.sendall(b"backup         \tLast night's\nhome           \tEverybody's\n@RSYNCD: EXIT\n")


def _distcc(connection: socket.socket) -> None:
    """Answers as if it had run what it was asked to. It runs nothing."""
    connection.recv(4096)
    connection.sendall(b"DONE00000001STAT00000000SERR00000000SOUT00000014uid=110(distccd)\nDOTO00000000")


STAND_INS: dict[int, Callable[[socket.socket], None]] = {
    21: ftp,
    873: _rsync,
    3306: _mysql,
    3632: _distcc,
    5900: _vnc,
    6000: _x11,
    6379: _redis,
    6380: _closed_redis,
    11211: _memcached,
    27017: _mongodb,
}
