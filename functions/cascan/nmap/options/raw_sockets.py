"""May nmap, started by this process, open raw sockets? If not: why, and which command helps.

Root may. Any other user needs cap_net_raw, either in the process's ambient set or as a capability
of nmap's file that is effective, inheritable and permitted. NET_ADMIN is never needed. A container
often may not have it; then the kernel does not start an nmap whose file has it, not even for root.

Source: capabilities(7), linux/capability.h, and runs of nmap 7.93.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import msgspec

NAMES = {10: "cap_net_bind_service", 12: "cap_net_admin", 13: "cap_net_raw"}
NET_BIND_SERVICE, NET_RAW = 1 << 10, 1 << 13  # a few scripts send from a port below 1024
NEEDED = NET_RAW | NET_BIND_SERVICE
ATTRIBUTE = "security.capability"
# The attribute: a first word with the revision in its highest byte, then permitted and inheritable,
# their high halves, and in the third revision a user id.
EFFECTIVE = 1  # a bit of the first word
REVISIONS = {0x01: "<3I", 0x02: "<5I", 0x03: "<5I"}
SETCAP = "setcap cap_net_raw,cap_net_bind_service+eip"
NOT_ADMIN = "without cap_net_admin, which is not needed and may keep nmap from starting at all"


class FileCapabilities(msgspec.Struct, frozen=True):
    """Bit sets, as the kernel numbers capabilities."""

    permitted: int = 0
    inheritable: int = 0
    effective: bool = False  # the permitted ones are in force from the start


class ProcessPrivileges(msgspec.Struct, frozen=True):
    """The privileges of a process: bit sets, and whether it may gain more."""

    bounding: int
    ambient: int
    no_new_privileges: bool

    @classmethod
    def of(cls, status: str) -> ProcessPrivileges:
        """From /proc/self/status."""
        fields = dict(re.findall(r"^(\w+):\s+(\S+)$", status, re.MULTILINE))
        return cls(
            bounding=int(fields["CapBnd"], 16),
            ambient=int(fields["CapAmb"], 16),
            no_new_privileges=fields.get("NoNewPrivs") == "1",
        )


def find_raw_socket_problem(
    nmap: str,
    *,
    uid: int | None = None,
    process: ProcessPrivileges | None = None,
) -> str:
    """Why nmap may not open raw sockets, with the command that helps.

    Empty: it may. `nmap` is the path of its file.
    """
    uid = os.geteuid() if uid is None else uid
    process = process or ProcessPrivileges.of(Path("/proc/self/status").read_text())
    file = read_file_capabilities(nmap)
    forbidden = file.permitted & ~process.bounding
    if file.effective and forbidden:
        effect = "which this process may not have, so the kernel does not start it"
        return f"{nmap} holds {_names(forbidden)}, {effect}; run: {SETCAP} {nmap}"
    if not process.bounding & NET_RAW:
        cause = "its bounding set, a container's most likely, leaves it out"
        return f"this process may not have cap_net_raw: {cause}"
    has_ambient = process.ambient & NET_RAW and not file.permitted
    if uid == 0 or has_ambient:
        return ""
    return _find_file_problem(nmap, file, process)


def _find_file_problem(nmap: str, file: FileCapabilities, process: ProcessPrivileges) -> str:
    """Why the capabilities of nmap's file do not suffice for a user who is not root.

    Empty: they do.
    """
    in_force = file.permitted & file.inheritable if file.effective else 0
    missing = NEEDED & ~in_force
    if missing:
        lacks = f"lacks {_names(missing)} as effective, inheritable and permitted"
        return f"{nmap} {lacks}, and this is not root; run: {SETCAP} {nmap} ({NOT_ADMIN})"
    if process.no_new_privileges:
        cause = "this process runs with no_new_privs"
    elif os.statvfs(nmap).f_flag & os.ST_NOSUID:
        cause = "its file system is mounted nosuid"
    else:
        return ""
    ignored = f"{nmap} has the capabilities, but the kernel ignores them: {cause}"
    return f"{ignored}; run it without that, or as root"


def read_file_capabilities(path: str) -> FileCapabilities:
    """The capabilities of a file. Empty sets: it has none, or the attribute cannot be read."""
    try:
        return parse_capabilities(os.getxattr(path, ATTRIBUTE))
    except OSError:
        return FileCapabilities()


def parse_capabilities(attribute: bytes) -> FileCapabilities:
    """The capabilities in an attribute. Empty sets: its revision is unknown, or it is cut off."""
    layout = REVISIONS.get(attribute[3]) if len(attribute) > len("abc") else None
    if layout is None or len(attribute) < struct.calcsize(layout):
        return FileCapabilities()
    magic, permitted, inheritable, *high = struct.unpack_from(layout, attribute)
    high_permitted, high_inheritable = high or (0, 0)
    return FileCapabilities(
        permitted=permitted | high_permitted << 32,
        inheritable=inheritable | high_inheritable << 32,
        effective=bool(magic & EFFECTIVE),
    )


def _names(capabilities: int) -> str:
    bits = [bit for bit in range(capabilities.bit_length()) if capabilities >> bit & 1]
    return ", ".join(NAMES.get(bit, f"capability {bit}") for bit in bits)
