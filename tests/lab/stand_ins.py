"""What the lab's desk offers, for which there is no small package: databases and a remote desktop that speak enough.

`python -m tests.lab.stand_ins ADDRESS FOLDER` serves until it is ended; the folder holds cert.pem and key.pem.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.data.speaking_services import STAND_INS, serve_tcp

DATABASES = (3306, 6379, 11211, 27017)
SQL_SERVER, CASSANDRA = 1433, 9160
REMOTE_DESKTOP = 3389
PORTS = (*DATABASES, SQL_SERVER, CASSANDRA, REMOTE_DESKTOP)

TPKT_HEADER, CONNECTION_REQUEST, NTLM_MESSAGE = 4, 0xE0, 0x30
NEGOTIATION_REQUEST = 8  # bytes at the end of a connection request, if it has one
NATIVE, TLS, CREDSSP = 0, 1, 3
SERVER_CORE = struct.pack("<HHI", 0x0C01, 8, 0x00080004)  # RDP 5 to 8
SERVER_SECURITY = struct.pack("<HHII", 0x0C02, 12, 2, 2)  # 128-bit RC4, as the client likes
TDS_HEADER, PRE_LOGIN = 8, 0x12
SQL_2017 = struct.pack(">BBHH", 14, 0, 1000, 0)  # 14.00.1000, as it was first released
THRIFT_CALL, THRIFT_REPLY = b"\x80\x01\x00\x01", b"\x80\x01\x00\x02"
# what Windows sends before these two, to the letter: T.124 ConnectData up to its length
CONFERENCE = bytes.fromhex("000500147c00012a14760a01010001c0004d63446e")
CHALLENGE_HEADER = 56  # bytes before its payload


def main() -> None:
    address, folder = sys.argv[1], Path(sys.argv[2])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    talks: dict[int, Callable[[socket.socket], None]] = {port: STAND_INS[port] for port in DATABASES}
    talks[REMOTE_DESKTOP] = partial(remote_desktop, context=context)
    talks |= {SQL_SERVER: sql_server, CASSANDRA: cassandra}
    for port, talk in talks.items():
        serve_tcp(port, talk, address)
    threading.Event().wait()


def sql_server(connection: socket.socket) -> None:
    """Answers a TDS pre-login as SQL Server 2017 does, with its version; only what it is asked for.

    Source: MS-TDS 2.2.6.5, PRELOGIN: option, offset and length each, then the data.
    """
    header = connection.recv(TDS_HEADER, socket.MSG_WAITALL)
    kind, length = struct.unpack(">BxH", header[:4])
    asked = connection.recv(max(length - TDS_HEADER, 0), socket.MSG_WAITALL)
    if kind != PRE_LOGIN:
        return
    values = (SQL_2017, b"\x02", b"\x00", b"", b"\x00")  # version, encryption, instance, thread, MARS
    options = [option for option in asked[: asked.index(0xFF) : 5] if option < len(values)]
    heads, data = b"", b""
    for option in options:
        heads += struct.pack(">BHH", option, 5 * len(options) + 1 + len(data), len(values[option]))
        data += values[option]
    answer = heads + b"\xff" + data
    connection.sendall(struct.pack(">BBHHBB", 4, 1, TDS_HEADER + len(answer), 0, 1, 0) + answer)


def cassandra(connection: socket.socket) -> None:
    """Tells anybody its cluster's name and its version, over framed Thrift."""
    tells = {b"describe_cluster_name": b"Lab Cluster", b"describe_version": b"19.39.0"}
    while length := connection.recv(4, socket.MSG_WAITALL):
        call = connection.recv(struct.unpack(">I", length)[0], socket.MSG_WAITALL)
        (size,) = struct.unpack(">I", call[4:8])
        name, number = call[8 : 8 + size], call[8 + size : 12 + size]
        if call[:4] != THRIFT_CALL or name not in tells:
            return
        value = tells[name]
        text = b"\x0b\x00\x00" + struct.pack(">I", len(value)) + value + b"\x00"  # field 0, a string; the end
        reply = THRIFT_REPLY + struct.pack(">I", size) + name + number + text
        connection.sendall(struct.pack(">I", len(reply)) + reply)


def remote_desktop(connection: socket.socket, *, context: ssl.SSLContext) -> None:
    """Agrees to RDP's own encryption, to TLS and to CredSSP, and says in each what it says before a password."""
    request = _packet(connection)
    asked = _asked(request)
    if asked is None:
        connection.sendall(_confirm(b""))
    elif asked not in (NATIVE, TLS, CREDSSP) and not asked & TLS:
        connection.sendall(_confirm(struct.pack("<BBHI", 3, 0, 8, 2)))  # TLS is not allowed
        return
    else:
        connection.sendall(_confirm(struct.pack("<BBHI", 2, 0, 8, asked)))
    if asked:
        with context.wrap_socket(connection, server_side=True) as secured:
            first = secured.recv(4096)
            secured.sendall(_challenge() if first[:1] == bytes([NTLM_MESSAGE]) else _connect_response())
            secured.recv(4096)
    elif connection.recv(4096):
        connection.sendall(_connect_response())


def _packet(connection: socket.socket) -> bytes:
    header = connection.recv(TPKT_HEADER, socket.MSG_WAITALL)
    (length,) = struct.unpack(">xxH", header)
    return connection.recv(length - TPKT_HEADER, socket.MSG_WAITALL)


def _asked(request: bytes) -> int | None:
    """The protocols that the client asks for; None: it does not know that there are several."""
    negotiation = request[-NEGOTIATION_REQUEST:]
    if request[1] != CONNECTION_REQUEST or negotiation[:4] != b"\x01\x00\x08\x00":
        return None
    return int.from_bytes(negotiation[4:], "little")


def _tpkt(data: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, TPKT_HEADER + len(data)) + data


def _confirm(negotiation: bytes) -> bytes:
    return _tpkt(struct.pack(">BBHHB", 6 + len(negotiation), 0xD0, 0, 0x1234, 0) + negotiation)


def _connect_response() -> bytes:
    blocks = SERVER_CORE + SERVER_SECURITY
    user_data = CONFERENCE + bytes([len(blocks)]) + blocks
    domain = b"".join(b"\x02\x01" + bytes([value]) for value in (34, 3, 0, 1, 0, 1, 127, 2))
    body = b"\x0a\x01\x00" + b"\x02\x01\x00" + _ber(0x30, domain) + _ber(0x04, user_data)
    return _tpkt(b"\x02\xf0\x80\x7f" + _ber(0x66, body))


def _ber(tag: int, data: bytes) -> bytes:
    """For lengths below 128."""
    return bytes([tag, len(data)]) + data


def _challenge() -> bytes:
    """NTLM's second message, with the names of the machine."""
    realm = "LAB".encode("utf-16-le")
    names = {2: "LAB", 1: "DESK", 4: "lab.example", 3: "desk.lab.example"}
    pairs = b"".join(struct.pack("<HH", key, 2 * len(name)) + name.encode("utf-16-le") for key, name in names.items())
    pairs += bytes(4)
    fields = struct.pack("<HHI", len(realm), len(realm), CHALLENGE_HEADER) + struct.pack("<I", 0xE28A8215)
    fields += b"12345678" + bytes(8) + struct.pack("<HHI", len(pairs), len(pairs), CHALLENGE_HEADER + len(realm))
    return b"NTLMSSP\x00" + struct.pack("<I", 2) + fields + bytes.fromhex("0a0063450000000f") + realm + pairs


if __name__ == "__main__":
    main()
