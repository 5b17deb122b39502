"""Make the reports of this folder again: run real nmap against services of our own, on 127.0.0.1 and ::1 only.

    sudo python -m tests.data.make        # root: UDP, ACK and OS probes need raw sockets

Writes one XML file per run, as nmap wrote it, and README.md: the exact command, nmap's version, the date.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.data.services import services

FOLDER = Path(__file__).parent
ALWAYS = ["nmap", "-n", "--no-stylesheet", "-oX", "-"]
KILLED_AFTER = 3  # hosts
TABLE = "| File | Shows | Command | Exit |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Run:
    """One fixture. `{http}` in the arguments is the port of that service."""

    name: str
    shows: str
    arguments: str
    prefix: tuple[str, ...] = ()
    killed: bool = False


RUNS = [
    Run("connect", "open, closed and filtered ports", "-sT -p {http},{ftp},{banner},{closed},{deaf} 127.0.0.1"),
    Run(
        "versions",
        "services as probed, one inside TLS",
        "-sT -sV --version-intensity 2 -p {http},{https},{ftp} 127.0.0.1",
    ),
    Run(
        "scripts",
        "scripts on several ports, with tables and with text alone",
        "-sT -sV --version-intensity 2 --script banner,ftp-anon,ssl-cert,http-title,http-headers"
        " -p {http},{https},{banner},{ftp},{closed} 127.0.0.1",
    ),
    Run("udp", "open, closed and open|filtered UDP ports", "-sU -p {udp},{silent-udp},{closed} 127.0.0.1"),
    Run("ack", "unfiltered ports", "-sA -p {http},{closed} 127.0.0.1"),
    Run("os", "operating system matches", "-O -p {http},{closed} 127.0.0.1"),
    Run(
        "osclass",
        "operating system classes beside the matches, as old versions wrote them",
        "-O --deprecated-xml-osclass -p {http},{closed} 127.0.0.1",
    ),
    Run("verbose", "tasks and their progress", "-sT -v --stats-every 1s --scan-delay 100ms -p {http},1-30 127.0.0.1"),
    Run("ipv6", "a host with an IPv6 address", "-6 -sT -p {http6},{closed} ::1"),
    Run("ping", "a host without ports", "-sn 127.0.0.1"),
    Run(
        "hosts",
        "several hosts, one asked by name, with the ports counted",
        "-sT -p {http},1-50 127.0.0.1 localhost 127.0.0.1",
    ),
    Run("list", "hosts nobody asked, a target nmap cannot read", "-sL 127.0.0.1 127.0.0.1/x localhost"),
    Run("down", "a host that is down", "-v -sn --unprivileged 127.0.0.1", prefix=("unshare", "-n")),
    Run(
        "killed",
        f"a run killed after {KILLED_AFTER} hosts",
        "-sT -v --max-hostgroup 1 --scan-delay 20ms -p {http},1-60" + " 127.0.0.1" * 6,
        killed=True,
    ),
    Run(
        "host-timeout",
        "a host given up: no ports, and still a success",
        "-sT --scan-delay 50ms --host-timeout 1s -p 1-200 127.0.0.1",
    ),
    Run("bad-ports", "a failure before the document began", "-p 99999 127.0.0.1"),
    Run("bad-script", "a failure after it began", "-sT -p {http} --script no-such-script 127.0.0.1"),
    Run(
        "arguments",
        "control and non-ASCII characters in the command line",
        "-sL --script-args 'note=Z\u00fcrich\x01' 127.0.0.1",
    ),
]


def main() -> None:
    if os.geteuid() != 0:
        raise SystemExit("Run it as root: UDP, ACK and OS probes need raw sockets.")
    version = subprocess.run(["nmap", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    with services() as ports:
        rows = [_make(run, ports) for run in RUNS]
    _write_readme(version, rows)


def _make(run: Run, ports: dict[str, int]) -> str:
    """Run nmap and keep what it wrote; the row of the table."""
    arguments = shlex.split(run.arguments.format_map(ports))
    command = [*run.prefix, *ALWAYS, *arguments]
    exit_code, report = _killed(command) if run.killed else _finished(command)
    (FOLDER / f"{run.name}.xml").write_bytes(report)
    shown = shlex.join(command).replace("\x01", "\\x01").replace("|", "\\|")
    shows = run.shows.replace("|", "\\|")
    return f"| {run.name}.xml | {shows} | `{shown}` | {exit_code} |\n"


def _finished(command: list[str]) -> tuple[int, bytes]:
    ended = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stdout


def _killed(command: list[str]) -> tuple[int, bytes]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as nmap:
        assert nmap.stdout is not None
        report = b""
        while report.count(b"</host>") < KILLED_AFTER:
            report += os.read(nmap.stdout.fileno(), 65_536)
        nmap.kill()
        report += nmap.stdout.read()
        return nmap.wait(), report


def _write_readme(version: str, rows: list[str]) -> None:
    oddities = "".join(f"| oddities/{path.name} | {_fact(path)} |\n" for path in sorted(FOLDER.glob("oddities/*.xml")))
    (FOLDER / "README.md").write_text(
        "# Reports\n\n"
        f"Real output of {version}, {datetime.now(UTC):%Y-%m-%d}, made by `sudo python -m tests.data.make`\n"
        "from services of our own on loopback (`services.py`). Tests read ports from the reports: the numbers\n"
        "change with each making. Reports of scripts on well-known ports: [scripts/](scripts/README.md).\n\n"
        f"{TABLE}{''.join(rows)}\n"
        "## Oddities\n\n"
        "Written by hand, each for one fact that the runs above cannot show; its first comment says which.\n\n"
        f"| File | Shows |\n|---|---|\n{oddities}"
    )


def _fact(path: Path) -> str:
    """The text of the file's first comment."""
    return " ".join(path.read_text().partition("<!--")[2].partition("-->")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
