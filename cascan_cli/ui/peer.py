"""Which user of this machine has opened a connection, as the kernel of Linux knows it.

Loopback addresses are open to every user of a machine. Linux tells the owner of a socket by its two ends
(sock_diag(7)), so a console need not answer other users, whatever they send.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

Place = tuple[str, int]  # address and port
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST = 1
ALL_STATES = NO_COOKIE = 0xFFFFFFFF
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBBI")  # inet_diag_req_v2 up to its id
PORTS = struct.Struct("!HH")
ENDING = struct.Struct("=III")  # of an id: interface, cookie
OWNER = struct.Struct("=II")  # uid, inode
OWNER_OFFSET = HEADER.size + 64  # in the reply: inet_diag_msg begins with 4 bytes, an id of 48 and three numbers
ADDRESS_BYTES = 16  # of an IPv6 address, also for IPv4
ANSWER_BYTES, TIMEOUT_S = 4_096, 1.0


def may_connect(client: Place, server: Place) -> bool:
    """Whether the connection is of this user, or of one that may act for them: root, or who used sudo.

    True also where the system cannot say.
    """
    user = find_user(client, server)
    return user is None or user in list_own_users()


def list_own_users() -> set[int]:
    users = {0, os.getuid(), os.geteuid()}
    with suppress(KeyError, ValueError):
        users.add(int(os.environ["SUDO_UID"]))
    return users


def find_user(client: Place, server: Place) -> int | None:
    """The id of the user whose socket is the client's end. None: the system cannot say, as other than Linux.

    -1: the socket is closed already, and has no owner any more.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        reply = _ask_kernel(_build_request(client, server))
    except OSError:
        return None
    if len(reply) < OWNER_OFFSET + OWNER.size or HEADER.unpack_from(reply)[1] != SOCK_DIAG_BY_FAMILY:
        return None
    user, inode = OWNER.unpack_from(reply, OWNER_OFFSET)
    return int(user) if inode else -1


def _build_request(client: Place, server: Place) -> bytes:
    body = REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
    body += PORTS.pack(client[1], server[1])
    body += b"".join(socket.inet_aton(address).ljust(ADDRESS_BYTES, b"\0") for address, _ in (client, server))
    body += ENDING.pack(0, NO_COOKIE, NO_COOKIE)
    return HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + body


def _ask_kernel(request: bytes) -> bytes:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(TIMEOUT_S)
        kernel.send(request)
        return kernel.recv(ANSWER_BYTES)
