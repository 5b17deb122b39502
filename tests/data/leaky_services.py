"""Stand-ins of services that give away more than they should, each at its well-known port on 127.0.0.1.

Each says just enough of its protocol for one of nmap's scripts, as a service would that is open, bugged or old.
Nothing that a client sends is run, stored or repeated anywhere but in the answer.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tests.data.speaking_services import LOOPBACK, serve_tcp

Answer = Callable[[bytes], bytes]  # a datagram → the answer; empty: none
ID_OF_ROOT = b"uid=0(root) gid=0(root) groups=0(root)\n"
LISTENS_AFTER_S = 0.3
DNS_HEADER, AXFR, SOA, NS, A = 12, 252, 6, 2, 1
UPDATE, RECURSION = 0x2800, 0x0080


def start_leaky_services() -> None:
    for port, talk in TCP.items():
        serve_tcp(port, talk)
    for port, answer in UDP.items():
        serve_udp(port, answer)


def serve_udp(port: int, answer: Answer) -> None:
    """One datagram after another, for as long as the process lives."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((LOOPBACK, port))

    def serve() -> None:
        while True:
            data, client = server.recvfrom(65_535)
            with suppress(ValueError, struct.error):  # a probe that is not of the protocol gets no answer
                if reply := answer(data):
                    server.sendto(reply, client)

    threading.Thread(target=serve, daemon=True).start()


# ---- backdoors


def _proftpd(connection: socket.socket) -> None:
    """The release whose sources were replaced in 2010: a word opens a shell. It answers as if it had run `id`."""
    connection.sendall(b"220 ProFTPD 1.3.3c Server (fixture) [127.0.0.1]\r\n")
    lines = connection.makefile("rb")
    if lines.readline().startswith(b"HELP ACIDBITCHEZ"):
        connection.sendall(b"214 \r\n")
        lines.readline()
        connection.sendall(ID_OF_ROOT)


def _netbus(connection: socket.socket) -> None:
    """Lets in whoever calls himself the super user."""
    answers = {
        b"Password": b"Access;1",
        b"GetInfo": b"Info;Program Path: C:\\WINDOWS\\Patch.exe|Restart persistent: Yes|Login ID: ada",
        b"GetSetup": b"ServerSetup;12345;1;;;;",
        b"GetACL": b"ACL;127.0.0.1",
        b"GetApps": b"Apps;Calculator",
        b"GetVolume": b"Volume;100;100;100",
    }
    connection.sendall(b"NetBus 1.70\r")
    received = b""
    while data := connection.recv(4096):
        *lines, received = (received + data).split(b"\r")
        for line in lines:
            connection.sendall(answers.get(line.partition(b";")[0], b"") + b"\r")


def _ident(connection: socket.socket) -> None:
    """Answers before it is asked."""
    connection.sendall(b"0, 0 : USERID : UNIX : kXzrQ\r\n")
    connection.recv(1)


# ---- services that ask nobody who he is


def _telnet(connection: socket.socket) -> None:
    """Refuses the option of encryption."""
    connection.sendall(b"\xff\xfe\x26\xff\xfc\x26")
    connection.recv(1)


def _finger(connection: socket.socket) -> None:
    connection.makefile("rb").readline()
    connection.sendall(b"Login  Name  Tty\r\nada    Ada   pts/0\r\n")


def _socks(connection: socket.socket) -> None:
    """Agrees to SOCKS 5 without authentication, and to nothing else."""
    version, methods = connection.recv(2, socket.MSG_WAITALL)
    offered = connection.recv(methods, socket.MSG_WAITALL)
    connection.sendall(bytes([version, 0 if 0 in offered else 0xFF]))


def _smtp(connection: socket.socket) -> None:
    """Takes mail from anyone for anyone, and says which names it knows."""
    connection.sendall(b"220 mail.fixture ESMTP\r\n")
    for line in connection.makefile("rb"):
        verb = line[:4].upper()
        if verb == b"DATA":
            connection.sendall(b"354 go on\r\n")
        elif verb == b"QUIT":
            connection.sendall(b"221 bye\r\n")
            return
        elif verb in (b"VRFY", b"EXPN"):
            connection.sendall(b"250 root\r\n" if b"root" in line else b"550 unknown\r\n")
        elif verb == b"RCPT" and b"user" in line.lower():
            connection.sendall(b"550 unknown\r\n")
        else:
            connection.sendall(b"250 mail.fixture\r\n")


def _hddtemp(connection: socket.socket) -> None:
    connection.sendall(b"|/dev/sda|Fixture Disk|38|C|")


def _epmd(connection: socket.socket) -> None:
    connection.recv(16)
    connection.sendall(struct.pack(">I", 4369) + b"name rabbit at port 25672\n")


def _dicom(connection: socket.socket) -> None:
    """Accepts the association whatever name is called."""
    connection.recv(4096)
    connection.sendall(b"\x02\x00" + struct.pack(">I", 68) + bytes(68))
    connection.recv(1)


def _gopher(connection: socket.socket) -> None:
    connection.makefile("rb").readline()
    connection.sendall(b"0Notes\t/notes.txt\tfixture\t70\r\n1Forms\t/forms\tfixture\t70\r\n.\r\n")


def _mqtt(connection: socket.socket) -> None:
    """Sends a message to whoever subscribes, without a name or a password."""
    while head := connection.recv(2, socket.MSG_WAITALL):
        kind, length = head[0] >> 4, head[1]
        if length > 127:  # the length goes on in another byte
            length += (connection.recv(1)[0] - 1) * 128
        body = connection.recv(length, socket.MSG_WAITALL)
        if kind == 1:  # CONNECT
            connection.sendall(b"\x20\x02\x00\x00")
        elif kind == 8:  # SUBSCRIBE
            filters = _topics(body[2:])
            connection.sendall(b"\x90" + bytes([2 + filters]) + body[:2] + bytes(filters))
            for topic, payload in ((b"plant/pump/1/speed", b"1450"), (b"$SYS/broker/version", b"fixture 2.0")):
                message = struct.pack(">H", len(topic)) + topic + payload
                connection.sendall(b"\x30" + bytes([len(message)]) + message)


def _topics(body: bytes) -> int:
    count = 0
    while body:
        (length,) = struct.unpack(">H", body[:2])
        body = body[2 + length + 1 :]
        count += 1
    return count


def _ldap(connection: socket.socket) -> None:
    """A directory that anyone may read. Source: RFC 4511; every message here is shorter than 64 KB."""
    while head := connection.recv(2, socket.MSG_WAITALL):
        length = head[1]
        if length & 0x80:
            length = int.from_bytes(connection.recv(length & 0x7F, socket.MSG_WAITALL), "big")
        request = connection.recv(length, socket.MSG_WAITALL)
        message, operation = request[: 2 + request[1]], request[2 + request[1]]
        done = _ber(0x0A, b"\x00") + _ber(0x04, b"") + _ber(0x04, b"")
        if operation == 0x60:  # bind
            connection.sendall(_ber(0x30, message + _ber(0x61, done)))
        elif operation == 0x63:  # search
            root = {b"namingContexts": b"dc=fixture", b"supportedLDAPVersion": b"3", b"vendorName": b"Fixture"}
            person = {b"cn": b"Ada", b"mail": b"ada@fixture.example"}
            name, entry = (b"cn=Ada,dc=fixture", person) if b"dc=fixture" in request else (b"", root)
            rows = b"".join(_ber(0x30, _ber(0x04, key) + _ber(0x31, _ber(0x04, value))) for key, value in entry.items())
            connection.sendall(_ber(0x30, message + _ber(0x64, _ber(0x04, name) + _ber(0x30, rows))))
            connection.sendall(_ber(0x30, message + _ber(0x65, done)))
        else:
            return


def _ber(tag: int, data: bytes) -> bytes:
    length = bytes([len(data)]) if len(data) < 128 else b"\x82" + struct.pack(">H", len(data))
    return bytes([tag]) + length + data


def _rpcbind(connection: socket.socket) -> None:
    """Lists the programs that are registered. Source: RFC 1833, RPCBPROC_DUMP of versions 3 and 4."""
    while mark := connection.recv(4, socket.MSG_WAITALL):
        call = connection.recv(struct.unpack(">I", mark)[0] & 0x7FFFFFFF, socket.MSG_WAITALL)
        programs = ((100000, 4, "0.0.0.0.0.111"), (100003, 3, "0.0.0.0.8.1"), (100005, 3, "0.0.0.0.78.80"))
        rows = b"".join(
            struct.pack(">3I", 1, program, version) + b"".join(map(_xdr_string, ("tcp", address, "superuser")))
            for program, version, address in programs
        )
        reply = call[:4] + struct.pack(">5I", 1, 0, 0, 0, 0) + rows + bytes(4)
        connection.sendall(struct.pack(">I", 0x80000000 | len(reply)) + reply)


def _xdr_string(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode() + bytes(-len(text) % 4)


# ---- DNS: a zone that anyone may copy and change, from a server that looks up anything for anyone


def _dns_over_tcp(connection: socket.socket) -> None:
    while length := connection.recv(2, socket.MSG_WAITALL):
        reply = _dns(connection.recv(struct.unpack(">H", length)[0], socket.MSG_WAITALL))
        connection.sendall(struct.pack(">H", len(reply)) + reply)


def _dns(query: bytes) -> bytes:
    """The name servers, addresses and the start of the zone `fixture.example`; an address for any other name."""
    number, flags = struct.unpack(">HH", query[:4])
    end = query.index(0, DNS_HEADER) + 5
    question, (kind,) = query[DNS_HEADER:end], struct.unpack(">H", query[end - 4 : end - 2])
    if flags & 0x7800 == UPDATE:
        return struct.pack(">6H", number, 0x8000 | UPDATE, 1, 0, 0, 0) + question
    zone = _dns_name("fixture.example")
    start = _record(zone, SOA, _dns_name("ns1.fixture.example") + _dns_name("root.fixture.example") + bytes(20))
    records = [start]
    if kind == AXFR:
        hosts = {"ns1": 53, "vpn": 7, "backup": 8}
        records += [_record(zone, NS, _dns_name("ns1.fixture.example"))]
        records += [_record(_dns_name(f"{n}.fixture.example"), A, bytes([192, 0, 2, i])) for n, i in hosts.items()]
        records += [start]
    elif kind != SOA:
        records = [_record(question[:-4], A, bytes([192, 0, 2, 1]))]
    return struct.pack(">6H", number, 0x8400 | RECURSION, 1, len(records), 0, 0) + question + b"".join(records)


def _dns_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\x00"


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    return name + struct.pack(">HHIH", kind, 1, 3600, len(data)) + data


# ---- datagrams


def _tftp(request: bytes) -> bytes:
    """Hands out one file, after the while that the script takes to listen at the port that it asked from."""
    time.sleep(LISTENS_AFTER_S)
    found = request[:2] == b"\x00\x01" and request[2:].startswith(b"startup-config\x00")
    return b"\x00\x03\x00\x01hostname fixture\n" if found else b"\x00\x05\x00\x01no such file\x00"


def _nat_pmp(request: bytes) -> bytes:
    return b"\x00\x80\x00\x00" + struct.pack(">I", 60) + bytes([192, 0, 2, 13]) if request == b"\x00\x00" else b""


def _upnp(request: bytes) -> bytes:
    if not request.startswith(b"M-SEARCH"):
        return b""
    lines = (
        "HTTP/1.1 200 OK",
        "ST: upnp:rootdevice",
        "USN: uuid:fixture::upnp:rootdevice",
        "SERVER: Fixture/1.0 UPnP/1.0",
    )
    return "\r\n".join((*lines, "LOCATION: http://127.0.0.1:1/root.xml", "", "")).encode()


def _ntp(request: bytes) -> bytes:
    """Tells who asked for the time: one entry of 72 bytes. Source: ntp_request.h of ntpd 4.2, info_monitor_1."""
    if len(request) < 4 or request[0] & 0x07 != 7 or request[3] != 42:
        return b""
    entry = struct.pack(">4I", 1, 1, 0, 5) + bytes([192, 0, 2, 77]) + bytes([127, 0, 0, 1]) + struct.pack(">I", 0)
    entry += struct.pack(">HBBII", 123, 3, 4, 0, 0) + bytes(32)
    return bytes([0x97, 0, request[2], request[3]]) + struct.pack(">HH", 1, len(entry)) + entry


TCP: dict[int, Callable[[socket.socket], None]] = {
    23: _telnet,
    25: _smtp,
    53: _dns_over_tcp,
    70: _gopher,
    79: _finger,
    111: _rpcbind,
    113: _ident,
    389: _ldap,
    1080: _socks,
    1883: _mqtt,
    2121: _proftpd,
    2525: _smtp,
    4242: _dicom,
    4369: _epmd,
    7634: _hddtemp,
    12345: _netbus,
}
UDP: dict[int, Answer] = {53: _dns, 69: _tftp, 123: _ntp, 1900: _upnp, 5351: _nat_pmp}
