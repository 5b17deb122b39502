"""May nmap, started by this process, open raw sockets? If not: why, and what to run.

Who is not root needs them as file capabilities of nmap, each effective, inheritable and permitted, as Vuls asks for; or
gets them from its own ambient set. NET_ADMIN is never needed, and where a container may not have it the kernel does not
start an nmap that holds it, not for root either. Source: capabilities(7), linux/capability.h, and runs of nmap 7.93.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import msgspec

NAMES = {10: "cap_net_bind_service", 12: "cap_net_admin", 13: "cap_net_raw"}
NET_BIND_SERVICE, NET_RAW = 1 << 10, 1 << 13  # the first for the few scripts that send from a low port
NEEDED = NET_RAW | NET_BIND_SERVICE
ATTRIBUTE = "security.capability"
EFFECTIVE = 1  # of the attribute's first word; permitted and inheritable follow, low half and high half
REVISIONS = {0x01: "<3I", 0x02: "<5I", 0x03: "<5I"}  # of its highest byte; the third has a user id behind
SETCAP = "setcap cap_net_raw,cap_net_bind_service+eip"
NOT_ADMIN = "without cap_net_admin, which is not needed and may keep nmap from starting at all"


class FileCapabilities(msgspec.Struct, frozen=True):
    """Bit sets, as the kernel numbers capabilities."""

    permitted: int = 0
    inheritable: int = 0
    effective: bool = False  # all that is permitted is in force from the start


class ProcessPrivileges(msgspec.Struct, frozen=True):
    """What the kernel says of a process: bit sets, and whether it may gain privileges."""

    bounding: int
    ambient: int
    no_new_privileges: bool

    @classmethod
    def of(cls, status: str) -> ProcessPrivileges:
        """From /proc/self/status."""
        fields = dict(re.findall(r"^(\w+):\s+(\S+)$", status, re.MULTILINE))
        return cls(int(fields["CapBnd"], 16), int(fields["CapAmb"], 16), fields.get("NoNewPrivs") == "1")


def find_raw_socket_problem(nmap: str, *, uid: int | None = None, process: ProcessPrivileges | None = None) -> str:
    """One sentence with the command that helps; empty: nothing stands in the way. `nmap` is the path of its file."""
    uid = os.geteuid() if uid is None else uid
    process = process or ProcessPrivileges.of(Path("/proc/self/status").read_text())
    file = read_file_capabilities(nmap)
    if file.effective and (beyond := file.permitted & ~process.bounding):
        stopped = "which this process may not have, so the kernel does not start it"
        return f"{nmap} holds {_names(beyond)}, {stopped}; run: {SETCAP} {nmap}"
    if not process.bounding & NET_RAW:
        return "this process may not have cap_net_raw: its bounding set, a container's most likely, leaves it out"
    if uid == 0 or (process.ambient & NET_RAW and not file.permitted):
        return ""
    missing = NEEDED & ~(file.permitted & file.inheritable if file.effective else 0)
    if missing:
        lacks = f"lacks {_names(missing)} as effective, inheritable and permitted"
        return f"{nmap} {lacks}, and this is not root; run: {SETCAP} {nmap} ({NOT_ADMIN})"
    if process.no_new_privileges or os.statvfs(nmap).f_flag & os.ST_NOSUID:
        why = (
            "this process runs with no_new_privs" if process.no_new_privileges else "its file system is mounted nosuid"
        )
        return f"{nmap} has the capabilities, but the kernel ignores them: {why}; run it without that, or as root"
    return ""


def read_file_capabilities(path: str) -> FileCapabilities:
    """None at all for a file that has none, or that cannot be asked."""
    try:
        return parse_capabilities(os.getxattr(path, ATTRIBUTE))
    except OSError:
        return FileCapabilities()


def parse_capabilities(attribute: bytes) -> FileCapabilities:
    """What is of no revision known here counts as nothing."""
    layout = REVISIONS.get(attribute[3]) if len(attribute) > len("abc") else None
    if layout is None or len(attribute) < struct.calcsize(layout):
        return FileCapabilities()
    magic, permitted, inheritable, *high = struct.unpack_from(layout, attribute)
    high_permitted, high_inheritable = high or (0, 0)
    return FileCapabilities(
        permitted | high_permitted << 32, inheritable | high_inheritable << 32, bool(magic & EFFECTIVE)
    )


def _names(capabilities: int) -> str:
    bits = (bit for bit in range(capabilities.bit_length()) if capabilities >> bit & 1)
    return ", ".join(NAMES.get(bit, f"capability {bit}") for bit in bits)
