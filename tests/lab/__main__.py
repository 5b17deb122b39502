"""The lab by hand: `python -m tests.lab` opens a shell on its scanner, `… nmap -sS web` runs a command there.

The names of hosts stand for their addresses. Everything is gone when the shell or the command ends.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.lab import Lab, NoLab, lab
from tests.lab.network import FAR, FAR_NETWORK, HOSTS, ROUND_TRIP_MS
from tests.lab.services import SERVICES


def main() -> int:
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    try:
        with lab() as hosts:
            print("\n".join(described(hosts)), file=sys.stderr)
            words = sys.argv[1:] or [os.environ.get("SHELL", "/bin/sh")]
            argv = [hosts.address(word) if word in (*HOSTS, "far") else word for word in words]
            return subprocess.run(hosts.inside(*argv), check=False).returncode
    except NoLab as exc:
        print(f"no lab: {exc}", file=sys.stderr)
        return 2


def described(hosts: Lab) -> list[str]:
    """A line for each host, and one for what is missing."""
    ports: dict[str, list[str]] = {name: [] for name in (*HOSTS, "far")}
    for service in SERVICES:
        ports[service.host] += [f"{port}/{'udp' if service.udp else 'tcp'}" for port in service.ports]
    lines = [f"{name:8}{HOSTS[name]:16}{' '.join(ports[name]) or 'drops whatever comes'}" for name in HOSTS]
    lines.append(f"{'far':8}{FAR_NETWORK:16}{' '.join(ports['far'])}, {ROUND_TRIP_MS:g} ms away, at {', '.join(FAR)}")
    if hosts.missing:
        lines.append(f"some of these ports are closed until you: ./.ci/install {' '.join(hosts.missing)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
