"""What an nmap report says besides its hosts: nmap.dtd's elements, attribute for attribute, as text.

A field that is None was not there. `STRUCTS_BY_TAG` says which element becomes which
value; a writer goes the same way back.
"""

from __future__ import annotations

import msgspec

from cascan.model.host import Address, Hostname, Script

Attribute = str | None


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The root element's attributes."""

    scanner: Attribute = None
    args: Attribute = None  # the command line, script arguments and all
    start: Attribute = None
    startstr: Attribute = None
    version: Attribute = None
    profile_name: Attribute = None
    xmloutputversion: Attribute = None


class ScanInfo(msgspec.Struct, frozen=True, kw_only=True):
    type: Attribute = None  # syn, connect, udp …
    scanflags: Attribute = None
    protocol: Attribute = None
    numservices: Attribute = None
    services: Attribute = None  # `1-1000,8080`


class Verbose(msgspec.Struct, frozen=True, kw_only=True):
    level: Attribute = None


class Debugging(msgspec.Struct, frozen=True, kw_only=True):
    level: Attribute = None


class SkippedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An expression that nmap could not read. Names it could not resolve are in no element."""

    specification: Attribute = None
    status: Attribute = None
    reason: Attribute = None


class TaskBegin(msgspec.Struct, frozen=True, kw_only=True):
    task: Attribute = None
    time: Attribute = None
    extrainfo: Attribute = None


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True):
    task: Attribute = None
    time: Attribute = None
    percent: Attribute = None
    remaining: Attribute = None
    etc: Attribute = None


class TaskEnd(msgspec.Struct, frozen=True, kw_only=True):
    task: Attribute = None
    time: Attribute = None
    extrainfo: Attribute = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What nmap printed, where Zenmap kept it."""

    type: Attribute = None
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
    time: Attribute = None
    timestr: Attribute = None
    elapsed: Attribute = None
    summary: Attribute = None
    exit: Attribute = None  # "success" or "error"
    errormsg: Attribute = None


class HostCounts(msgspec.Struct, frozen=True, kw_only=True):
    up: Attribute = None
    down: Attribute = None
    total: Attribute = None


class RunStats(msgspec.Struct, frozen=True, kw_only=True):
    finished: Finished | None = None
    hosts: HostCounts | None = None


Flat = ScanInfo | Verbose | Debugging | SkippedTarget | TaskBegin | TaskProgress | TaskEnd
Item = Flat | Output | HostHint | PreScripts | PostScripts | RunStats  # everything in a report besides its hosts
STRUCTS_BY_TAG: dict[str, type[Flat]] = {
    "scaninfo": ScanInfo,
    "verbose": Verbose,
    "debugging": Debugging,
    "target": SkippedTarget,
    "taskbegin": TaskBegin,
    "taskprogress": TaskProgress,
    "taskend": TaskEnd,
}
