"""Hosts to scan that exist nowhere else: network namespaces which end with the process that asked for them.

    with lab() as hosts:
        hosts.run("nmap", "-sS", hosts.address("web"))      # as a machine of that network

    scanner 192.0.2.2 ─ lan ─┬─ web     192.0.2.10     http
                             ├─ tls     192.0.2.11     https
                             ├─ ssh     192.0.2.12     ssh, snmp
                             ├─ files   192.0.2.13     ftp, smb
                             ├─ silent  192.0.2.14     drops whatever comes
                             ├─ desk    192.0.2.15     remote desktop, databases: stand-ins
                             └─ router  192.0.2.1 ─ 10 ms ─ far 198.51.100.10 …   http; the other addresses are silent

All of it lives in namespaces of its own (processes, mounts, network), without a route to anywhere: nothing is named on
this machine, and when the process that made it ends, in whatever way, the kernel takes the whole of it away. The
addresses are those that RFC 5737 keeps for documentation. `python -m tests.lab` opens a shell in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.network import FAR, HOSTS

ROOT = Path(__file__).parents[2]
PROGRAMS = ("unshare", "nsenter", "ip")
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL")
READY_WITHIN_S = 120.0


class NoLab(Exception):
    """This machine cannot have a lab; the message says why."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up. `missing` names the packages without which some of its hosts have nothing to offer."""

    pid: int  # of its first process
    missing: tuple[str, ...]

    def address(self, name: str) -> str:
        """The host's address; of `far` the first of several."""
        return FAR[0] if name == "far" else HOSTS[name]

    def inside(self, *argv: str) -> tuple[str, ...]:
        """The command that runs `argv` on the lab's own machine, the scanner: its network and no other."""
        return ("nsenter", f"--net={self.network}", "--", *argv)

    @property
    def network(self) -> Path:
        """The network namespace of the scanner."""
        return Path(f"/proc/{self.pid}/ns/net")

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`argv` on the scanner, to its end."""
        plain: dict[str, Any] = {"capture_output": True, "text": True, "cwd": ROOT}
        return subprocess.run(self.inside(*argv), check=False, **plain | options)


@contextmanager
def lab() -> Iterator[Lab]:
    """The lab, while the block runs. Raises: NoLab: not permitted here, or a program is missing."""
    _check()
    argv = (*NAMESPACES, sys.executable, "-m", "tests.lab.build")
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        if not line:  # it has ended
            raise NoLab(f"namespaces cannot be made here: {process.communicate()[1].strip()[-300:]}")
        try:
            yield Lab(**json.loads(line))
        finally:
            process.communicate()  # closes its standard input: the first process ends, and all the rest with it


def _check() -> None:
    if os.geteuid() != 0:
        raise NoLab("network namespaces need root")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise NoLab(f"not installed: {', '.join(missing)} (packages iproute2 and util-linux)")
    if not Path("/dev/net/tun").exists():
        raise NoLab("there is no /dev/net/tun, which the slow link is made of")
