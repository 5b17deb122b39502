"""What an nmap report says besides its hosts: nmap.dtd's elements, attribute for attribute, as text.

A field that is None was not there. `TAGS` tells which element becomes which value; a writer goes the same way back.
"""

from __future__ import annotations

import msgspec

from cascan.model.host import Address, Hostname, Script

Said = str | None


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The root element's attributes."""

    scanner: Said = None
    args: Said = None  # the command line, script arguments and all
    start: Said = None
    startstr: Said = None
    version: Said = None
    profile_name: Said = None
    xmloutputversion: Said = None


class ScanInfo(msgspec.Struct, frozen=True, kw_only=True):
    type: Said = None  # syn, connect, udp …
    scanflags: Said = None
    protocol: Said = None
    numservices: Said = None
    services: Said = None  # `1-1000,8080`


class Verbose(msgspec.Struct, frozen=True, kw_only=True):
    level: Said = None


class Debugging(msgspec.Struct, frozen=True, kw_only=True):
    level: Said = None


class SkippedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An expression that nmap could not read. Names it could not resolve are in no element."""

    specification: Said = None
    status: Said = None
    reason: Said = None


class TaskBegin(msgspec.Struct, frozen=True, kw_only=True):
    task: Said = None
    time: Said = None
    extrainfo: Said = None


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True):
    task: Said = None
    time: Said = None
    percent: Said = None
    remaining: Said = None
    etc: Said = None


class TaskEnd(msgspec.Struct, frozen=True, kw_only=True):
    task: Said = None
    time: Said = None
    extrainfo: Said = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What nmap printed, where Zenmap kept it."""

    type: Said = None
    text: str = ""


class HostHint(msgspec.Struct, frozen=True, kw_only=True):
    """A host known to be up while it is still scanned; its host element follows later."""

    state: str
    reason: str = ""
    reason_ttl: int | None = None
    addresses: tuple[Address, ...] = ()
    hostnames: tuple[Hostname, ...] = ()


class PreScripts(msgspec.Struct, frozen=True):
    """Scripts that ran before the hosts."""

    scripts: tuple[Script, ...]


class PostScripts(msgspec.Struct, frozen=True):
    """Scripts that ran after the hosts."""

    scripts: tuple[Script, ...]


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    time: Said = None
    timestr: Said = None
    elapsed: Said = None
    summary: Said = None
    exit: Said = None  # "success" or "error"
    errormsg: Said = None


class HostCounts(msgspec.Struct, frozen=True, kw_only=True):
    up: Said = None
    down: Said = None
    total: Said = None


class RunStats(msgspec.Struct, frozen=True, kw_only=True):
    finished: Finished | None = None
    hosts: HostCounts | None = None


Flat = ScanInfo | Verbose | Debugging | SkippedTarget | TaskBegin | TaskProgress | TaskEnd
Item = Flat | Output | HostHint | PreScripts | PostScripts | RunStats  # what stands beside the hosts
TAGS: dict[str, type[Flat]] = {
    "scaninfo": ScanInfo,
    "verbose": Verbose,
    "debugging": Debugging,
    "target": SkippedTarget,
    "taskbegin": TaskBegin,
    "taskprogress": TaskProgress,
    "taskend": TaskEnd,
}
