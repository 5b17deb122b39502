"""The systemd unit that keeps the local stack up: of a user, or of the whole machine.

Both run `cascan local up --foreground` without any privilege of root. A user's unit gets no
capability, so nmap opens no raw sockets there. A unit of the machine runs as an ordinary user, with
the two capabilities that raw scans need. ADR 71 has the reasons.

Source: systemd.service(5), systemd.exec(5), systemd.kill(5) of systemd 252.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from cascan_cli.errors import BadInput
from cascan_cli.local.private import replace_file

NAME = "cascan.service"
MARK = "# Written by cascan local unit"
SYSTEM_FOLDER = Path("/etc/systemd/system")
STATE_DIRECTORY = Path("/var/lib/cascan")
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES = "CAP_NET_RAW CAP_NET_BIND_SERVICE"  # as of the raw worker: infra/worker/Dockerfile
UNIT_MODE = 0o644

# A start may rebuild the tables from the bucket. At its end, workers return their shards and the emulator saves
# its tables. With `mixed`, the supervisor alone gets SIGTERM: it ends the others in their order.
SERVICE = """\
[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}Restart=on-failure
RestartSec=15
TimeoutStartSec=15min
KillMode=mixed
TimeoutStopSec=90
UMask=0077
"""
# These need neither root nor a namespace, so they hold in the manager of a user, too.
HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
SYSTEM_HARDENING = f"""\
CapabilityBoundingSet={CAPABILITIES}
AmbientCapabilities={CAPABILITIES}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
"""
USER_UNIT = """\
{mark}: change it with a drop-in, systemctl --user edit cascan
[Unit]
Description=cascan: the scan stack on this machine
Documentation=man:nmap(1)

{service}
# Without privileges. Raw scans (-sS, -sU, -O) are refused: they need cascan local unit --system.
{hardening}
[Install]
WantedBy=default.target
"""
SYSTEM_UNIT = """\
{mark} --system: change it with a drop-in, systemctl edit cascan
[Unit]
Description=cascan: the scan stack on this machine
Documentation=man:nmap(1)
Wants=network-online.target
After=network-online.target

{service}User={user}
{state}
# Not root: only nmap's two capabilities, for raw scans (-sS, -sU, -O). Delete AmbientCapabilities to do without.
{hardening}{system_hardening}
[Install]
WantedBy=multi-user.target
"""


class UnitOrder(msgspec.Struct, frozen=True):
    """What the unit is to say. `user`: who runs a unit of the machine; empty: it is a unit of a user."""

    command: tuple[str, ...]
    state_dir: Path
    nmap: Path
    user: str = ""


def render_unit(order: UnitOrder) -> str:
    """The text of the unit. Raises: BadInput: a path cannot be written in a unit."""
    words = [*order.command, "local", "up", "--foreground", "--state-dir", str(order.state_dir)]
    program, *arguments = words
    command = " ".join((quote(program), *map(_quote_argument, arguments)))
    service = SERVICE.format(command=command, environment=_environment(order.nmap))
    if not order.user:
        return USER_UNIT.format(mark=MARK, service=service, hardening=HARDENING)
    return SYSTEM_UNIT.format(
        mark=MARK,
        service=service,
        user=order.user,
        state=_state(order.state_dir),
        hardening=HARDENING,
        system_hardening=SYSTEM_HARDENING,
    )


def _environment(nmap: Path) -> str:
    """A line with the PATH, if nmap is in none of the folders that systemd looks in."""
    folder = str(nmap.parent)
    if folder in USUAL_PATH.split(":"):
        return ""
    return f"Environment={quote(f'PATH={folder}:{USUAL_PATH}')}\n"


def _state(folder: Path) -> str:
    """The lines that let the stack write its state, and nothing else."""
    if folder == STATE_DIRECTORY:  # systemd makes it
        return f"StateDirectory={folder.name}\nStateDirectoryMode=0700\n"
    return f"ReadWritePaths={quote(str(folder))}\n"


def quote(word: str) -> str:
    """The word as systemd reads it in a setting: its specifiers and quotes are plain characters.

    Raises: BadInput: it has a character that is not printable, such as a line break.
    """
    if not word.isprintable():
        raise BadInput(f"{word!r} cannot be written in a unit: it has a character that is not printable")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    is_plain = escaped == word and not set(word) & set(" ';#")
    return word if is_plain else f'"{escaped}"'


def _quote_argument(word: str) -> str:
    """The word as an argument of ExecStart, the only setting in which systemd replaces variables."""
    return quote(word).replace("$", "$$")


def find_command() -> tuple[str, ...]:
    """How this installation of cascan is called, without a search in PATH."""
    script = Path(sys.executable).with_name("cascan")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-m", "cascan_cli.main")


def find_unit_folder(*, system: bool) -> Path:
    """Where systemd looks for units that the machine's, or this user's, owner has written."""
    if system:
        return SYSTEM_FOLDER
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user"


def install_unit(text: str, folder: Path) -> Path:
    """Write the unit; a unit of ours is replaced. Returns its path.

    Raises: BadInput: the file cannot be written, or cascan did not write it.
    """
    path = folder / NAME
    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise BadInput(f"{path} is not from cascan local unit. Move it away, then repeat this command")
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
        path.chmod(UNIT_MODE)
    except OSError as exc:
        hint = ". Run it with sudo" if isinstance(exc, PermissionError) and folder == SYSTEM_FOLDER else ""
        raise BadInput(f"{path} cannot be written: {exc.strerror}{hint}") from exc
    return path
