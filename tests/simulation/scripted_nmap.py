"""nmap as a worker sees it: a process that takes its time, writes host after host, and may end in any of its ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from greenlet import getcurrent, greenlet

from cascan.scans.transitions import StopReason
from on_shard_queued.nmap_process import NmapResult, OnTick
from tests.simulation.clockwork import Clockwork

HEAD = (
    '<?xml version="1.0"?>\n'
    '<nmaprun scanner="nmap" args="nmap -p 80" start="1" version="7.93" xmloutputversion="1.05">\n'
)
SCANINFO = '<scaninfo type="connect" protocol="tcp" numservices="1" services="80"/>\n'
HOST = (
    '<host starttime="1" endtime="2"><status state="up" reason="user-set" reason_ttl="0"/>'
    '<address addr="{address}" addrtype="ipv4"/><hostnames/><ports><port protocol="tcp" portid="80">'
    '<state state="open" reason="syn-ack" reason_ttl="0"/><service name="http" method="table" conf="3"/></port>'
    "</ports></host>\n"
)
END = (
    '<runstats><finished time="3" elapsed="1" exit="success"/>'
    '<hosts up="{hosts}" down="0" total="{hosts}"/></runstats>\n'
    "</nmaprun>\n"
)
TIMED_OUT = (
    '<host starttime="1" endtime="2" timedout="true"><status state="up" reason="user-set" reason_ttl="0"/>'
    '<address addr="{address}" addrtype="ipv4"/><hostnames/></host>\n'
)
SECONDS_A_HOST = (1, 5, 12, 40)
KILLED, DISK_FULL = 0.01, 0.01  # a host
TIMES_OUT = 0.15  # a host, where it may: with --host-timeout


@dataclass(frozen=True, slots=True)
class Run:
    """One run of nmap, from its start to its end or that of its worker."""

    actor: greenlet
    addresses: tuple[str, ...]
    started_at: datetime
    ended_at: datetime
    stopped: StopReason | None  # None: it ended by itself, or died with its worker


class ScriptedNmap:
    """Every address is up, with port 80 open; or runs into --host-timeout, however long that is."""

    def __init__(self, clockwork: Clockwork, slow_hosts: Random) -> None:
        """`slow_hosts` decides who times out: apart from the clockwork, so that scans without it live as before."""
        self._clockwork = clockwork
        self.slow_hosts = slow_hosts
        self.runs: list[Run] = []

    def __call__(
        self, argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick
    ) -> NmapResult:
        addresses, started_at = (folder / "targets").read_text().split(), self._clockwork.now
        stopped: StopReason | None = None
        try:
            ended = self._scan(argv, addresses, report, deadline_s, on_tick)
            stopped = ended.stopped
        finally:
            run = Run(getcurrent(), tuple(addresses), started_at, self._clockwork.now, stopped)
            self.runs.append(run)
        return ended

    def _scan(
        self,
        argv: Sequence[str],
        addresses: Sequence[str],
        report: Path,
        deadline_s: float,
        on_tick: OnTick,
    ) -> NmapResult:
        started, faulty = self._clockwork.now, self._clockwork.faults.crash > 0
        with report.open("a") as stream:
            stream.write(HEAD + SCANINFO)
            for number, address in enumerate(addresses):
                stream.flush()
                self._clockwork.sleep(self._clockwork.random.choice(SECONDS_A_HOST))
                if why := on_tick():
                    stream.write(HOST.format(address=address)[:90])  # it was just writing
                    return NmapResult(-15, why)
                if (self._clockwork.now - started).total_seconds() >= deadline_s:
                    return NmapResult(-15, StopReason.TIME_LIMIT)
                if faulty and self._clockwork.chance(KILLED):
                    stream.write(HOST.format(address=address)[:40])
                    return NmapResult(-9)
                if faulty and self._clockwork.chance(DISK_FULL):
                    return NmapResult(0)  # nmap says nothing of it
                too_slow = "--host-timeout" in argv and self.slow_hosts.random() < TIMES_OUT
                stream.write((TIMED_OUT if too_slow else HOST).format(address=address))
                assert number < len(addresses)
            stream.write(END.format(hosts=len(addresses)))
        return NmapResult(0)
