"""What the tests use of the machine besides Python: which programs, in which Debian packages, and what for.

    python3 tests/support/packages.py            what `make test` will skip here, in a line
    python3 tests/support/packages.py --missing  the packages that are missing, for `make test-packages`

Standard library only, for any Python 3: it runs before there is a virtual environment.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# What is tested, the program that this takes, and its package. A test that skips for want of a program has it here.
PROGRAMS = (
    ("scans", "nmap", "nmap"),
    ("TLS services", "openssl", "openssl"),
    ("completion in zsh", "zsh", "zsh"),
    ("completion in fish", "fish", "fish"),
    ("the nmap layer", "make", "make"),
    ("reports against nmap's DTD", "xmllint", "libxml2-utils"),
    ("reports against ndiff", "ndiff", "ndiff"),
    ("web pages in a browser", "chromium", "chromium"),
    ("hosts in namespaces", "ip", "iproute2"),
    ("hosts in namespaces", "unshare", "util-linux"),
    ("hosts in namespaces", "nsenter", "util-linux"),
    ("hosts in namespaces", "nginx", "nginx-light"),
    ("hosts in namespaces", "sshd", "openssh-server"),
    ("hosts in namespaces", "vsftpd", "vsftpd"),
    ("hosts in namespaces", "smbd", "samba"),
    ("hosts in namespaces", "snmpd", "snmpd"),
    ("systemd units", "systemd-analyze", "systemd"),
    ("raw scans", "setcap", "libcap2-bin"),
    ("raw scans", "setpriv", "util-linux"),
    ("the worker image", "podman", "podman"),
    ("the worker image", "runc", "runc"),
    ("the worker image", "debootstrap", "debootstrap"),
)
ROOTS_ALONE = ("hosts in namespaces", "raw scans", "the worker image", "what another user of the machine may do")
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")  # not in everybody's PATH
TUN = Path("/dev/net/tun")


def is_there(program: str) -> bool:
    """Whether the program is installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
    return shutil.which(program, path=path) is not None


def missing_packages() -> list[str]:
    """The packages without which something is skipped, in the order of the table."""
    return list(dict.fromkeys(package for _, program, package in PROGRAMS if not is_there(program)))


def skipped() -> dict[str, str]:
    """What will be skipped, and what it lacks."""
    lacking: dict[str, list[str]] = {}
    for what, program, package in PROGRAMS:
        if not is_there(program):
            lacking.setdefault(what, []).append(package)
    reasons = {what: ", ".join(dict.fromkeys(packages)) for what, packages in lacking.items()}
    if os.geteuid() != 0:
        reasons.update(dict.fromkeys(ROOTS_ALONE, "root"))
    elif not TUN.exists():
        reasons.setdefault("hosts in namespaces", str(TUN))
    return reasons


def summary() -> str:
    """What will be skipped on this machine, and what changes that, in a line."""
    reasons = skipped()
    if not reasons:
        return "nothing will be skipped for want of a package or of rights"
    listed = "; ".join(f"{what} (needs {why})" for what, why in reasons.items())
    way_out = [". `make test-packages` installs the packages and starts no service"] if missing_packages() else []
    way_out += [". What needs root runs for root"] if "root" in reasons.values() else []
    return f"will be skipped: {listed}{''.join(way_out)}"


if __name__ == "__main__":
    sys.stdout.write(f"{' '.join(missing_packages()) if '--missing' in sys.argv else summary()}\n")
