"""The text of an operator's file → expected exposure. All problems are reported at once.

settings:                 # optional, like each of these
  confirm: true           # ask for a second look at once
  untestedAfterDays: 7
  findings: high          # findings of this severity and above become exposures
  changes: false          # ports that opened become exposures, whatever is expected
groups:
  payments: {owner: payments@example.com, hosts: [10.0.0.0/28, web.example.com]}
expected:
  - who: payments         # address, network, range, name, or a group
    ports: [443, 53/udp, 8000-8010]
    service: https        # optional: another one on that port is a violation
    from: [internet]      # vantages; absent: any
    until: 2026-12-31     # the last day, UTC
    why: card payments front end
    required: true        # default: true for addresses and names, false for networks and ranges
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from ipaddress import ip_interface
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.exposure.expectations import (
    UNTESTED_AFTER_DAYS,
    AddressRange,
    ExpectedExposure,
    ExpectedPorts,
    ExposureFile,
    ExposureSettings,
    FileWarning,
    HostGroup,
    HostSelection,
    normalize_name,
)
from cascan.forms.fields import find_unknown_fields, read_struct
from cascan.forms.yaml_document import read_yaml
from cascan.forms.yaml_lines import find_line, find_lines
from cascan.limits import (
    MAX_EXPECTATION_TEXT_CHARS,
    MAX_EXPECTED_ENTRIES,
    MAX_EXPECTED_INTERVALS,
    MAX_EXPECTED_PORTS,
    MAX_EXPOSURE_FILE_BYTES,
    MAX_EXPOSURE_GROUPS,
    MAX_GROUP_HOSTS,
    MAX_PORT,
    MAX_REASONS,
    MAX_REQUIRED_ENDPOINTS,
    MAX_SERVICE_CHARS,
)
from cascan.model.finding import Severity
from cascan.model.refusal import Refusal, Rule
from cascan.model.vantage import NAME_RULE, is_vantage_name
from cascan.nmap.targets.kinds import IPV4, IPV6, Name, Network6, Target
from cascan.nmap.targets.syntax import parse_target

SOURCE = "the file"
MAX_DEPTH = 6
MAX_DAYS = 3_650
PORTS = re.compile(r"(?P<low>[0-9]{1,5})(?:-(?P<high>[0-9]{1,5}))?(?:/(?P<protocol>[a-z]+))?")
PROTOCOLS = ("tcp", "udp", "sctp", "ip")
PORT_FORMS = "write 443, 8000-8010 or 53/udp"
GROUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SECTIONS = ("settings", "groups", "expected")
SEVERITIES = ", ".join(severity.value.lower() for severity in Severity)
Text = Annotated[str, msgspec.Meta(max_length=MAX_EXPECTATION_TEXT_CHARS)]
S = TypeVar("S", bound=msgspec.Struct)


class _Settings(msgspec.Struct, frozen=True, rename="camel"):
    confirm: bool = False
    untested_after_days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] = UNTESTED_AFTER_DAYS
    findings: str = ""
    changes: bool = False


class _Group(msgspec.Struct, frozen=True):
    hosts: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_GROUP_HOSTS)]
    owner: Text = ""


class _Entry(msgspec.Struct, frozen=True):
    who: Text
    ports: Annotated[tuple[int | str, ...], msgspec.Meta(max_length=MAX_EXPECTED_PORTS)]
    service: Annotated[str, msgspec.Meta(max_length=MAX_SERVICE_CHARS)] = ""
    vantages: tuple[str, ...] = msgspec.field(default=(), name="from")
    until: str = ""
    why: Text = ""
    required: bool | None = None


def read_exposure_file(text: str) -> ExposureFile:
    """The settings, groups and entries, with warnings. JSON is read too.

    Raises: RequestRefused: every problem with its line, up to MAX_REASONS.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_EXPOSURE_FILE_BYTES:
        raise RequestRefused([f"{SOURCE} has {size} bytes, more than {MAX_EXPOSURE_FILE_BYTES}"], Rule.LIMIT)
    document = read_yaml(text, MAX_DEPTH, SOURCE)
    if document is None:
        raise RequestRefused([f"line 1: {SOURCE} is empty; write at least `expected: []`"])
    if not isinstance(document, dict):
        raise RequestRefused([f"line 1: {SOURCE} has to be a mapping with the keys {', '.join(SECTIONS)}"])
    return _Reader(find_lines(text)).read(document)


class _Reader:
    """Collects problems, each of which begins with the path of its field, and warnings."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = lines
        self._problems: list[str] = []
        self._warnings: list[FileWarning] = []

    def read(self, document: Mapping[str, Any]) -> ExposureFile:
        self._problems += find_unknown_fields(document, SECTIONS, "")
        settings = self._read_settings(self._read_section(document, "settings", dict))
        groups = self._read_groups(self._read_section(document, "groups", dict))
        entries = self._read_entries(self._read_section(document, "expected", list), groups)
        if self._problems:
            raise self._refuse()
        used = {entry.who for entry in entries}
        for group in groups.values():
            if group.name not in used:
                self._warnings.append(FileWarning(group.line, f"no entry uses the group {group.name}"))
        self._warnings += _find_conflicts(entries)
        return ExposureFile(
            settings=settings,
            groups=tuple(groups.values()),
            entries=tuple(entries),
            warnings=tuple(sorted(self._warnings, key=lambda warning: warning.line)),
        )

    def _refuse(self) -> RequestRefused:
        refusals = []
        for problem in self._problems:
            path = re.split(r":? ", problem, maxsplit=1)[0]
            line = self._find_line(path)
            refusals.append((line, Refusal(path, Rule.FIELD, f"line {line}: {problem}")))
        ordered = [refusal for _, refusal in sorted(refusals, key=lambda found: found[0])]
        excess = len(ordered) - MAX_REASONS
        if excess > 0:
            ordered[MAX_REASONS:] = [Refusal("", Rule.LIMIT, f"and {excess} more reasons")]
        return RequestRefused(ordered)

    def _find_line(self, path: str) -> int:
        return find_line(self._lines, path)

    def _warn(self, path: str, sentence: str) -> None:
        self._warnings.append(FileWarning(self._find_line(path), sentence))

    def _read_section(self, document: Mapping[str, Any], name: str, kind: type[S] | type) -> Any:
        """The section; empty if it is absent, null, or of another kind."""
        section = document.get(name)
        if section is None:
            return kind()
        if not isinstance(section, kind):
            form = "a list of entries" if kind is list else "a mapping"
            self._problems.append(f"{name}: has to be {form}")
            return kind()
        return section

    def _read_struct(self, kind: type[S], fields: object, path: str) -> S | None:
        """The fields as a struct; None, with the problems noted, if they are not."""
        if not isinstance(fields, dict):
            self._problems.append(f"{path}: has to be a mapping with {', '.join(kind.__struct_encode_fields__)}")
            return None
        known = {name: value for name, value in fields.items() if name in kind.__struct_encode_fields__}
        self._problems += find_unknown_fields(fields, kind.__struct_encode_fields__, f"{path}.")
        try:
            return read_struct(kind, known, f"{path}.")
        except RequestRefused as refused:
            self._problems += refused.reasons
            return None

    def _read_settings(self, section: dict[str, Any]) -> ExposureSettings:
        settings = self._read_struct(_Settings, section, "settings")
        if settings is None:
            return ExposureSettings()
        severity = settings.findings.upper()
        if severity and severity not in Severity.__members__:
            self._problems.append(f"settings.findings: {settings.findings!r:.40} is none of {SEVERITIES}")
            severity = ""
        return ExposureSettings(
            confirm=settings.confirm,
            untested_after_days=settings.untested_after_days,
            findings=Severity(severity) if severity else None,
            changes=settings.changes,
        )

    def _read_groups(self, section: dict[str, Any]) -> dict[str, HostGroup]:
        if len(section) > MAX_EXPOSURE_GROUPS:
            self._problems.append(f"groups: has {len(section)} groups, more than {MAX_EXPOSURE_GROUPS}")
            return {}
        groups = {}
        for name, fields in section.items():
            path = f"groups.{name}"
            if not GROUP_NAME.fullmatch(name):
                self._problems.append(f"groups: {name!r:.70} has to be 1 to 64 letters, digits, '-' or '_'")
                continue
            group = self._read_struct(_Group, fields, path)
            hosts = HostSelection()
            if group is not None:
                if not group.hosts:
                    self._problems.append(f"{path}.hosts is empty; name at least one host, or remove the group")
                hosts = self._read_hosts(group.hosts, f"{path}.hosts")
            owner = group.owner if group else ""
            groups[name] = HostGroup(name=name, hosts=hosts, line=self._find_line(path), owner=owner)
        return groups

    def _read_hosts(self, texts: Iterable[str], path: str) -> HostSelection:
        ranges: list[AddressRange] = []
        names: list[str] = []
        for index, text in enumerate(texts):
            selection = self._read_host(text, f"{path}[{index}]")
            ranges += selection.ranges
            names += selection.names
        return HostSelection(tuple(ranges), tuple(names))

    def _read_host(self, text: str, path: str) -> HostSelection:
        """An address, network, range or name. A name is not resolved."""
        try:
            target = parse_target(text, IPV6 if ":" in text else IPV4)
        except RequestRefused as refused:
            self._problems += (f"{path}: {reason}" for reason in refused.reasons)
            return HostSelection()
        if isinstance(target, Name):
            if target.bits is not None:
                self._problems.append(f"{path}: {text!r:.80} is a name with a mask; write the network itself")
            return HostSelection(names=(normalize_name(target.name),))
        if isinstance(target, Network6) and target.zone:
            self._problems.append(f"{path}: {text!r:.80} has a zone; the inventory has addresses without one")
        self._check_host_bits(text, path)
        intervals = tuple(islice(_list_intervals(target), MAX_EXPECTED_INTERVALS + 1))
        if len(intervals) > MAX_EXPECTED_INTERVALS:
            self._problems.append(f"{path}: {text!r:.80} has more than {MAX_EXPECTED_INTERVALS} gaps; write networks")
        return HostSelection(ranges=tuple(intervals))

    def _check_host_bits(self, text: str, path: str) -> None:
        try:
            written = ip_interface(text)
        except ValueError:  # a range of octets
            return
        if written.ip != written.network.network_address:
            self._warn(path, f"{text} has host bits; it means {written.network}")

    def _read_entries(self, section: list[Any], groups: Mapping[str, HostGroup]) -> list[ExpectedExposure]:
        if len(section) > MAX_EXPECTED_ENTRIES:
            self._problems.append(f"expected: has {len(section)} entries, more than {MAX_EXPECTED_ENTRIES}")
            return []
        entries = []
        required_endpoints = 0
        for index, fields in enumerate(section):
            entry = self._read_entry(fields, f"expected[{index}]", groups)
            if entry is None:
                continue
            entries.append(entry)
            required_endpoints += count_required_endpoints(entry)
        if required_endpoints > MAX_REQUIRED_ENDPOINTS:
            self._problems.append(
                f"expected: requires {required_endpoints} ports of addresses, more than {MAX_REQUIRED_ENDPOINTS};"
                " write `required: false` at wide networks and ranges of ports"
            )
        return entries

    def _read_entry(self, fields: object, path: str, groups: Mapping[str, HostGroup]) -> ExpectedExposure | None:
        read = self._read_struct(_Entry, fields, path)
        if read is None:
            return None
        group = groups.get(read.who)
        hosts = group.hosts if group else self._read_who(read.who, f"{path}.who", groups)
        required = read.required
        if required is None:
            required = hosts.is_single
        return ExpectedExposure(
            line=self._find_line(path),
            who=read.who,
            hosts=hosts,
            owner=group.owner if group else "",
            ports=self._read_ports(read.ports, f"{path}.ports"),
            service=read.service.strip().lower(),
            vantages=self._read_vantages(read.vantages, f"{path}.from"),
            until=self._read_until(read.until, f"{path}.until"),
            why=read.why.strip(),
            required=required,
        )

    def _read_who(self, text: str, path: str, groups: Mapping[str, HostGroup]) -> HostSelection:
        if GROUP_NAME.fullmatch(text):  # no dot and no colon: neither an address nor a full name
            near = get_close_matches(text, groups, n=1)
            hint = f"did you mean {near[0]}?" if near else f"a host of this name is written {text}. with a dot"
            self._problems.append(f"{path}: there is no group {text!r}; {hint}")
            return HostSelection()
        return self._read_host(text, path)

    def _read_ports(self, texts: tuple[int | str, ...], path: str) -> tuple[ExpectedPorts, ...]:
        if not texts:
            self._problems.append(f"{path} is empty; name at least one port")
        ports = []
        for index, text in enumerate(texts):
            match = PORTS.fullmatch(str(text).strip())
            if not match:
                self._problems.append(f"{path}[{index}]: {text!r:.40} is not a port; {PORT_FORMS}")
                continue
            low, protocol = int(match["low"]), match["protocol"] or "tcp"
            high = int(match["high"] or low)
            if protocol not in PROTOCOLS:
                problem = f"{protocol!r:.40} is none of the protocols {', '.join(PROTOCOLS)}"
                self._problems.append(f"{path}[{index}]: {problem}")
            elif high > MAX_PORT:
                self._problems.append(f"{path}[{index}]: {text!r:.40} is beyond the last port, {MAX_PORT}")
            elif low > high:
                self._problems.append(f"{path}[{index}]: {text!r:.40} is backwards; write {high}-{low}")
            else:
                ports.append(ExpectedPorts(protocol, low, high))
        return tuple(ports)

    def _read_vantages(self, names: tuple[str, ...], path: str) -> tuple[str, ...]:
        for index, name in enumerate(names):
            if not is_vantage_name(name):
                self._problems.append(f"{path}[{index}]: {name!r:.40} is not a vantage name: {NAME_RULE}")
        return tuple(dict.fromkeys(names))

    def _read_until(self, text: str, path: str) -> date | None:
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._problems.append(f"{path}: {text!r:.40} is not a date; write 2027-03-31")
            return None


def _list_intervals(target: Target) -> Iterator[AddressRange]:
    if isinstance(target, Name):
        return
    family = IPV6 if isinstance(target, Network6) else IPV4
    for low, high in target.intervals():
        yield AddressRange(family, low, high)


def count_required_endpoints(entry: ExpectedExposure) -> int:
    """How many ports of addresses and names the entry requires to be open; 0: it only allows them."""
    if not entry.required:
        return 0
    hosts = entry.hosts.count_addresses() + len(entry.hosts.names)
    return hosts * sum(ports.high - ports.low + 1 for ports in entry.ports)


def _find_conflicts(entries: Iterable[ExpectedExposure]) -> Iterator[FileWarning]:
    """Entries about the same hosts, vantage and port: equal ones, and ones that differ."""
    by_hosts: defaultdict[HostSelection, list[ExpectedExposure]] = defaultdict(list)
    for entry in entries:
        for earlier in by_hosts[entry.hosts]:
            if not _overlap(earlier, entry):
                continue
            if _to_demands(earlier) == _to_demands(entry):
                yield FileWarning(entry.line, f"repeats ports of line {earlier.line}")
            elif earlier.until == entry.until:
                yield FileWarning(entry.line, f"contradicts line {earlier.line}, which decides")
        by_hosts[entry.hosts].append(entry)


def _to_demands(entry: ExpectedExposure) -> ExpectedExposure:
    return replace(entry, line=0, who="", ports=(), owner="", why="", vantages=())


def _overlap(earlier: ExpectedExposure, later: ExpectedExposure) -> bool:
    """Whether one port is in both, from one vantage."""
    if earlier.vantages and later.vantages and not set(earlier.vantages) & set(later.vantages):
        return False
    return any(
        first.protocol == second.protocol and first.low <= second.high and second.low <= first.high
        for first in earlier.ports
        for second in later.ports
    )
