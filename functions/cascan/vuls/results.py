"""A results JSON of Vuls: read what is needed of it, and write it again with portReachableTo.

Only the levels down to an entry of listenPortStats are decoded. All other values stay the bytes that
they were, so numbers, escapes and unknown keys are written back untouched and in their order.

Keys are read in any case, as Go reads them, and written back as they were found. Of two spellings of
one key the last counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import MAX_VULS_LISTENERS, MAX_VULS_RESULTS_BYTES, MAX_VULS_TEXT_CHARS, MAX_VULS_WARNINGS
from cascan.model.refusal import Rule

Fields = dict[str, msgspec.Raw]
PACKAGES, PROCESSES, STATS, OLD_PORTS = "packages", "AffectedProcs", "listenPortStats", "listenPorts"
REACHABLE = "portReachableTo"
MAX_PORT = 65_535
MAX_CVSS = 10
NULL = msgspec.Raw(b"null")

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class ListenerId(NamedTuple):
    """Where a listener is in the file."""

    package: str
    process: int  # its index in AffectedProcs
    entry: int  # its index in listenPortStats, or in listenPorts of an older file


class Listener(msgspec.Struct, frozen=True):
    """A port on which an affected process listens."""

    where: ListenerId
    bind: str  # as Vuls wrote it: 10.0.0.5, [::1], *
    port: int
    found: tuple[str, ...]  # portReachableTo in the file

    @property
    def endpoint(self) -> str:
        """`addr:port`, as Vuls prints it."""
        return f"{self.bind}:{self.port}"


class Process(msgspec.Struct, frozen=True):
    package: str
    pid: str
    name: str
    listeners: tuple[Listener, ...]


class Cve(msgspec.Struct, frozen=True):
    cve_id: str
    packages: tuple[str, ...]  # that it affects
    score: float | None  # the highest CVSS score; of version 3 if there is one
    title: str


class VulsResults:
    """One file of results.

    Raises: RequestRefused: it is too long, or not a results JSON.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_VULS_RESULTS_BYTES:
            raise _refuse(f"{len(data)} bytes are more than {MAX_VULS_RESULTS_BYTES}", Rule.LIMIT)
        try:
            self._top = _decode_fields(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise _refuse(f"it is not a JSON object ({exc})") from exc
        self.server = _get_text(self._top, "serverName")
        if not self.server:
            raise _refuse("it has no serverName")
        container = _get_fields(self._top, "container")
        self.container = _get_text(container, "name") or _get_text(container, "containerID")
        self.scanned_at = _get_text(self._top, "scannedAt")
        self.ipv4 = _get_texts(self._top, "ipv4Addrs")
        self.ipv6 = _get_texts(self._top, "ipv6Addrs")
        self.warnings: list[str] = []  # about entries that are skipped
        self.processes = tuple(self._read_processes())

    @property
    def label(self) -> str:
        """The name that Vuls shows: the server, or `container@server`."""
        return f"{self.container}@{self.server}" if self.container else self.server

    @property
    def listeners(self) -> Iterator[Listener]:
        for process in self.processes:
            yield from process.listeners

    def cves(self, packages: frozenset[str]) -> Iterator[Cve]:
        """The CVEs that affect one of these packages, in the order of the file."""
        for cve_id, raw in _get_fields(self._top, "scannedCves").items():
            cve = _to_fields(raw)
            affected = map(_to_fields, _get_list(cve, "affectedPackages"))
            names = tuple(dict.fromkeys(filter(None, (_get_text(package, "name") for package in affected))))
            if packages.intersection(names):
                score, title = _read_contents(cve)
                yield Cve(_get_text(cve, "cveID") or cve_id, names, score, title)

    def write(self, reachable: Mapping[ListenerId, Sequence[str]], warnings: Sequence[str]) -> bytes:
        """The file with portReachableTo of these listeners, and with further warnings.

        A process that has listenPorts alone gets listenPortStats in their place: Vuls' report appends
        an entry for each of listenPorts, and so would show the port twice.
        """
        top = dict(self._top)
        packages_key = _find_key(top, PACKAGES)
        if packages_key and self.processes:
            packages = _to_fields(top[packages_key])
            changed = {process.package for process in self.processes if process.listeners}
            for name in changed:
                packages[name] = self._write_package(name, packages[name], reachable)
            top[packages_key] = _encode(packages)
        if warnings:
            _append_warnings(top, warnings)
        return msgspec.json.encode(top)

    def _write_package(self, name: str, raw: msgspec.Raw, reachable: Mapping[ListenerId, Sequence[str]]) -> msgspec.Raw:
        package = _to_fields(raw)
        key = _find_key(package, PROCESSES)
        processes = _to_list(package[key])
        by_index = {
            process.listeners[0].where.process: process
            for process in self.processes
            if process.package == name and process.listeners
        }
        for index, process in by_index.items():
            processes[index] = _write_process(processes[index], process, reachable)
        package[key] = _encode(processes)
        return _encode(package)

    def _read_processes(self) -> Iterator[Process]:
        listener_count = 0
        for name, raw in _get_fields(self._top, PACKAGES).items():
            for index, process_raw in enumerate(_get_list(_to_fields(raw), PROCESSES)):
                fields = _to_fields(process_raw)
                if not bytes(process_raw).startswith(b"{"):
                    self._warn(f"package {name}: an affected process is not an object", process_raw)
                    continue
                listeners = tuple(self._read_listeners(fields, name, index))
                listener_count += len(listeners)
                if listener_count > MAX_VULS_LISTENERS:
                    raise _refuse(f"it has more than {MAX_VULS_LISTENERS} listening ports", Rule.LIMIT)
                yield Process(name, _get_text(fields, "pid"), _get_text(fields, "name"), listeners)

    def _read_listeners(self, process: Fields, package: str, index: int) -> Iterator[Listener]:
        entries = _get_list(process, STATS)
        is_old = not entries
        for number, raw in enumerate(_get_list(process, OLD_PORTS) if is_old else entries):
            where = ListenerId(package, index, number)
            listener = _read_old_entry(raw, where) if is_old else _read_entry(raw, where)
            if listener:
                yield listener
            else:
                self._warn(f"package {package}: a listening port is malformed and was skipped", raw)

    def _warn(self, problem: str, raw: msgspec.Raw) -> None:
        text = bytes(raw).decode(errors="replace")[:MAX_VULS_TEXT_CHARS]
        self.warnings.append(f"{problem}: {text}")


def limit_warnings(warnings: Sequence[str]) -> list[str]:
    """At most MAX_VULS_WARNINGS of them, each once; the last one counts the others."""
    distinct = list(dict.fromkeys(warnings))
    if len(distinct) <= MAX_VULS_WARNINGS:
        return distinct
    hidden = len(distinct) - MAX_VULS_WARNINGS + 1
    return [*islice(distinct, MAX_VULS_WARNINGS - 1), f"and {hidden} more warnings"]


def _read_entry(raw: msgspec.Raw, where: ListenerId) -> Listener | None:
    fields = _to_fields(raw)
    port = _parse_port(_get_text(fields, "port"))
    bind = _get_text(fields, "bindAddress")
    if not port or not bind:
        return None
    return Listener(where, bind, port, _get_texts(fields, REACHABLE))


def _read_old_entry(raw: msgspec.Raw, where: ListenerId) -> Listener | None:
    """`addr:port`, cut at the last colon."""
    bind, _, port_text = _to_text(raw).rpartition(":")
    port = _parse_port(port_text)
    return Listener(where, bind, port, ()) if port and bind else None


def _parse_port(text: str) -> int:
    """The port; 0: the text is not one."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_PORT)):
        return 0
    port = int(text)
    return port if port <= MAX_PORT else 0


def _write_process(raw: msgspec.Raw, process: Process, reachable: Mapping[ListenerId, Sequence[str]]) -> msgspec.Raw:
    fields = _to_fields(raw)
    if entries := _get_list(fields, STATS):
        for listener in process.listeners:
            if listener.where in reachable:
                entry = _to_fields(entries[listener.where.entry])
                entry[_find_key(entry, REACHABLE) or REACHABLE] = _encode(list(reachable[listener.where]))
                entries[listener.where.entry] = _encode(entry)
        fields[_find_key(fields, STATS)] = _encode(entries)
        return _encode(fields)
    replaced = [
        {
            "bindAddress": listener.bind,
            "port": str(listener.port),
            REACHABLE: list(reachable[listener.where]) if listener.where in reachable else None,
        }
        for listener in process.listeners
    ]
    return _encode(_replace_old_ports(fields, _encode(replaced)))


def _replace_old_ports(process: Fields, stats: msgspec.Raw) -> Fields:
    """The process with listenPortStats at the place of listenPorts. An empty listenPortStats goes."""
    old, empty = OLD_PORTS.lower(), STATS.lower()
    others: Fields = {}
    for key, value in process.items():
        if key.lower() == old:
            others[STATS] = stats
        elif key.lower() != empty:
            others[key] = value
    return others


def _append_warnings(top: Fields, warnings: Sequence[str]) -> None:
    """Warnings that are not a list are left alone: Vuls does not read such a file anyway."""
    key = _find_key(top, "warnings") or "warnings"
    present = top.get(key, NULL)
    if isinstance(_to_value(present), list | None):
        top[key] = _encode([*_to_list(present), *warnings])


def _read_contents(cve: Fields) -> tuple[float | None, str]:
    """The highest score and the first title of cveContents; the sources are lists, or one object each."""
    scores3, scores2, titles = list[float](), list[float](), list[str]()
    for raw in _get_fields(cve, "cveContents").values():
        for content in map(_to_fields, _to_list(raw) or [raw]):
            scores3.append(_get_number(content, "cvss3Score"))
            scores2.append(_get_number(content, "cvss2Score"))
            titles.append(_get_text(content, "title"))
    score = max(scores3, default=0.0) or max(scores2, default=0.0)
    return score or None, next(filter(None, titles), "")


def _find_key(fields: Fields, name: str) -> str:
    """The key as it is spelled in the file; empty: it is not there."""
    if name in fields:
        return name
    folded = name.lower()
    return next((key for key in reversed(fields) if key.lower() == folded), "")


def _get(fields: Fields, name: str) -> msgspec.Raw:
    return fields.get(_find_key(fields, name), NULL)


def _get_text(fields: Fields, name: str) -> str:
    return _to_text(_get(fields, name))


def _get_number(fields: Fields, name: str) -> float:
    value = _to_value(_get(fields, name))
    return float(value) if isinstance(value, int | float) and 0 <= value <= MAX_CVSS else 0.0


def _get_texts(fields: Fields, name: str) -> tuple[str, ...]:
    return tuple(filter(None, map(_to_text, _get_list(fields, name))))


def _get_list(fields: Fields, name: str) -> list[msgspec.Raw]:
    return _to_list(_get(fields, name))


def _get_fields(fields: Fields, name: str) -> Fields:
    return _to_fields(_get(fields, name))


def _to_fields(raw: msgspec.Raw) -> Fields:
    """The fields of an object; none of another value."""
    try:
        return _decode_fields(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _to_list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _decode_list(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _to_text(raw: msgspec.Raw) -> str:
    value = _to_value(raw)
    return value if isinstance(value, str) else ""


def _to_value(raw: msgspec.Raw) -> Any:
    """The value; of one that cannot be decoded, the empty tuple, which is no value of JSON."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _encode(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _refuse(problem: str, rule: Rule = Rule.DOCUMENT) -> RequestRefused:
    return RequestRefused([f"not a results JSON of Vuls: {problem}"], rule)
