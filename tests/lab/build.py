"""The lab's first process: makes the network, starts the services, says so in a line, and ends when its input does.

Runs as process 1 of new process, mount and network namespaces (see `lab`): with it ends all that it made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import READY_WITHIN_S
from tests.lab.network import build_network
from tests.lab.services import SERVICES

FOLDER = Path("/run/lab")


def main() -> None:
    pid = int(Path("/proc/self").readlink().name)  # as the machine counts: /proc is still its own
    try:
        # `ip netns` keeps names in /run, servers their sockets and pids: all in a file system that nobody else sees.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"], check=True, capture_output=True)
        build_network()
    except subprocess.CalledProcessError as exc:
        sys.exit(f"{' '.join(exc.cmd)}: {exc.stderr}")
    missing = start_services()
    print(json.dumps({"pid": pid, "missing": missing}), flush=True)
    sys.stdin.read()


def start_services() -> list[str]:
    """Start what is installed, and wait until it answers. The packages of the rest."""
    FOLDER.mkdir(mode=0o755)
    Path("/run/sshd").mkdir(mode=0o755)  # sshd wants it
    started = [service for service in SERVICES if service.is_installed]
    for number, service in enumerate(started):
        service.start(FOLDER / f"{number}-{service.host}")
    deadline = time.monotonic() + READY_WITHIN_S
    for service in started:
        service.wait(deadline)
    return sorted({service.package for service in SERVICES if not service.is_installed})


if __name__ == "__main__":
    main()
