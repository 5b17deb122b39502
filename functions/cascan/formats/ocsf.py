"""OCSF 1.6, one event a line.

    what a record is                           class
    ─────────────────────────────────────────  ──────────────────────────────────────────────
    a host and its ports                       5001 Device Inventory Info, one for each host
    a vulnerability, or a weakness with a CWE  2002 Vulnerability Finding
    a violation of the expected exposure       2003 Compliance Finding
    a change since an earlier scan             2004 Detection Finding
    what else a script reports                 2004 Detection Finding

Records of one host come one after the other, so only the ports of one host are kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from cascan.exposure.judge import VerdictKind
from cascan.formats.facts import (
    CWES,
    PROTOCOLS,
    find_place,
    list_cves,
    list_links,
    read_mitigation,
    read_reason_of_silence,
    read_text,
    to_limited_line,
)
from cascan.formats.records import VIOLATION, Export, Record, Status
from cascan.limits import MAX_OCSF_PORTS_PER_EVENT
from cascan.model.finding import Finding, Severity
from cascan.model.inventory import OPEN

VERSION = "1.6.0"
INVENTORY, VULNERABILITY, COMPLIANCE, DETECTION = 5001, 2002, 2003, 2004
CLASSES = {
    INVENTORY: ("Device Inventory Info", 5, "Discovery"),
    VULNERABILITY: ("Vulnerability Finding", 2, "Findings"),
    COMPLIANCE: ("Compliance Finding", 2, "Findings"),
    DETECTION: ("Detection Finding", 2, "Findings"),
}
SEVERITIES = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
}
# Categories of findings that say what is there, and no weakness of it
INVENTORY_CATEGORIES = frozenset(
    {
        "Host",
        "Open Port",
        "Open or Filtered Port",
        "Closed or Filtered Port",
        "Filtered Port",
        "Unfiltered Port",
    }
)
NAMED_WEAKNESS = "Vulnerability"  # with or without a CVE
CREATE, UPDATE, CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
COLLECT = (2, "Collect")
NEW, SUPPRESSED, RESOLVED = (1, "New"), (3, "Suppressed"), (4, "Resolved")
STATUSES = {Status.OPEN: NEW, Status.SUPPRESSED: SUPPRESSED, Status.GONE: RESOLVED}
FAIL, UNKNOWN_DEVICE = 3, 0
UPDATES = frozenset({"ServiceChanged", "HostMoved"})
OPERATING_SYSTEMS = {"windows": (100, "Windows"), "linux": (200, "Linux"), "mac os": (300, "macOS"),
                     "macos": (300, "macOS"), "ios": (301, "iOS"), "android": (201, "Android"),
                     "solaris": (400, "Solaris"), "aix": (401, "AIX"), "hp-ux": (402, "HP-UX")}  # fmt: skip
OTHER_SYSTEM = (99, "Other")
Event = dict[str, Any]
_encode = msgspec.json.encode


def render_ocsf(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    for event in _build_events(records, export):
        yield _encode(event) + b"\n"


def _build_events(records: Iterable[Record], export: Export) -> Iterator[Event]:
    host: _HostPorts | None = None
    for record in records:
        if find_class(record) != INVENTORY:
            yield _build_finding_event(record, export)
            continue
        key = record.vantage, find_place(record.finding).host
        if host and (host.key != key or len(host.ports) >= MAX_OCSF_PORTS_PER_EVENT):
            yield host.build_event(export)
            host = None
        host = host or _HostPorts(key)
        host.add(record)
    if host:
        yield host.build_event(export)


def find_class(record: Record) -> int:
    finding = record.finding
    if record.change:
        return DETECTION
    if finding.category == VIOLATION:
        return COMPLIANCE
    if list_cves(finding) or finding.category == NAMED_WEAKNESS or finding.category in CWES:
        return VULNERABILITY
    is_inventory = finding.category in INVENTORY_CATEGORIES and record.status is not Status.GONE
    return INVENTORY if is_inventory else DETECTION


class _HostPorts:
    """The inventory of one host, record by record."""

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.ports: dict[tuple[str, int], Event] = {}
        self._records: list[Record] = []  # the first, and the one with the worst severity
        self._seen: list[datetime] = []
        self._first_seen: list[datetime] = []

    def add(self, record: Record) -> None:
        place = find_place(record.finding)
        if place.port is not None and record.finding.attributes.get("state") == OPEN:
            port: Event = {"port": place.port}
            if place.protocol:
                port |= {"protocol_name": place.protocol, "protocol_num": PROTOCOLS[place.protocol]}
            self.ports[place.protocol, place.port] = port
        worst = max([*self._records, record], key=_rank_severity)
        self._records = [self._records[0] if self._records else record, worst]
        self._seen = [max([*self._seen, record.seen_at])]
        if record.first_seen:
            self._first_seen = [min([*self._first_seen, record.first_seen])]

    def build_event(self, export: Export) -> Event:
        first, worst = self._records
        device = _build_device(first)
        interface = {name: device[name] for name in ("ip", "mac", "hostname") if name in device}
        if interface:
            device["network_interfaces"] = [interface | {"open_ports": list(self.ports.values())}]
        device["last_seen_time"] = _to_ms(self._seen[0])
        if self._first_seen:
            device["first_seen_time"] = _to_ms(self._first_seen[0])
        message = f"{len(self.ports)} open ports in this selection, seen from {first.vantage}"
        return _build_base(INVENTORY, worst, export, COLLECT) | {"device": device, "message": message}


def _build_finding_event(record: Record, export: Export) -> Event:
    class_uid = find_class(record)
    status_id, status = STATUSES[record.status]
    event = _build_base(class_uid, record, export, _find_activity(record)) | {
        "finding_info": _build_info(record),
        "status_id": status_id,
        "status": status,
        "device": _build_device(record),
        "message": to_limited_line(record.finding.description or record.finding.name),
    }
    details = " ".join(filter(None, (read_reason_of_silence(record.finding), record.note)))
    if details:
        event["status_detail"] = to_limited_line(details)
    if class_uid == VULNERABILITY:
        event["vulnerabilities"] = _list_vulnerabilities(record)
    elif class_uid == COMPLIANCE:
        event["compliance"] = _build_compliance(record)
    else:
        is_alert = record.status is Status.OPEN and (bool(record.change) or _rank_severity(record) > 1)
        event |= {"is_alert": is_alert, "evidences": _list_evidences(record)}
    return event


def _build_base(class_uid: int, record: Record, export: Export, activity: tuple[int, str]) -> Event:
    class_name, category_uid, category_name = CLASSES[class_uid]
    severity_id, severity = SEVERITIES[record.finding.severity]
    product = {"name": "cascan", "vendor_name": "cascan", "version": export.version}
    metadata: Event = {"version": VERSION, "product": product, "processed_time": _to_ms(export.generated_at)}
    labels = [to_limited_line(f"{name}={value}") for name, value in sorted(record.labels.items())]
    if labels:
        metadata["labels"] = labels
    if record.scan:
        metadata["correlation_uid"] = record.scan.scan_id
    return {
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": category_uid,
        "category_name": category_name,
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": class_uid * 100 + activity[0],
        "type_name": f"{class_name}: {activity[1]}",
        "severity_id": severity_id,
        "severity": severity,
        "time": _to_ms(record.finding.parsed_at if record.status is Status.GONE else record.seen_at),
        "metadata": metadata,
    }


def _build_info(record: Record) -> Event:
    finding = record.finding
    info: Event = {
        "uid": record.uid,
        "title": to_limited_line(finding.name) or to_limited_line(finding.category) or "finding",
        "desc": to_limited_line(finding.description),
        "types": [to_limited_line(finding.category)],
        "last_seen_time": _to_ms(record.seen_at),
        "data_sources": ["nmap"],
    }
    if record.first_seen:
        info |= {"first_seen_time": _to_ms(record.first_seen), "created_time": _to_ms(record.first_seen)}
    return info


def _build_device(record: Record) -> Event:
    place = find_place(record.finding)
    device: Event = {"uid": f"{record.vantage}/{place.host or 'unknown'}", "type_id": UNKNOWN_DEVICE, "type": "Unknown"}
    fields = {"ip": place.address, "hostname": place.hostname, "mac": place.mac, "zone": record.vantage}
    device |= {name: value for name, value in fields.items() if value}
    if record.owner:
        device["owner"] = {"name": to_limited_line(record.owner)}
    system = read_text(record.finding, "operating_system")
    if system:
        type_id, kind = _find_system(system)
        device["os"] = {"name": system, "type_id": type_id, "type": kind}
    return device


def _find_system(name: str) -> tuple[int, str]:
    lower = name.lower()
    kinds = (kind for begin, kind in OPERATING_SYSTEMS.items() if begin in lower)
    return next(kinds, OTHER_SYSTEM)


def _list_vulnerabilities(record: Record) -> list[Event]:
    """One for each CVE of the finding; without a CVE one with the CWE, or with the script that found it."""
    finding = record.finding
    common: Event = {
        "title": to_limited_line(finding.name),
        "desc": to_limited_line(finding.description),
        "severity": SEVERITIES[finding.severity][1],
        "vendor_name": "cascan",
        "last_seen_time": _to_ms(record.seen_at),
    }
    if record.first_seen:
        common["first_seen_time"] = _to_ms(record.first_seen)
    links, mitigation = list_links(finding), read_mitigation(finding)
    product, version = read_text(finding, "serviceProduct"), read_text(finding, "serviceVersion")
    if links:
        common["references"] = links
    if mitigation:
        common["remediation"] = {"desc": mitigation}
    if product and version:
        common["affected_packages"] = [{"name": product, "version": version}]
    cves = [common | {"cve": {"uid": cve}} for cve in list_cves(finding)]
    return cves or [common | _describe_weakness(finding)]


def _describe_weakness(finding: Finding) -> Event:
    if finding.category in CWES:
        return {"cwe": {"uid": f"CWE-{CWES[finding.category]}"}}
    return {
        "advisory": {"uid": f"nmap/{read_text(finding, 'script') or 'unknown'}", "title": to_limited_line(finding.name)}
    }


def _build_compliance(record: Record) -> Event:
    is_met = record.finding.attributes.get("result") == VerdictKind.FINE
    compliance: Event = {
        "control": "expected exposure",
        "standards": ["expected exposure"],
        "status_id": 1 if is_met else FAIL,
        "status": "Pass" if is_met else "Fail",
    }
    expectation = read_text(record.finding, "expectation")
    if expectation:
        compliance["requirements"] = [expectation]
    return compliance


def _list_evidences(record: Record) -> list[Event]:
    place = find_place(record.finding)
    endpoint: Event = {"uid": f"{record.vantage}/{place.host or 'unknown'}"}
    fields = {"ip": place.address, "hostname": place.hostname, "mac": place.mac, "port": place.port}
    endpoint |= {name: value for name, value in fields.items() if value not in ("", None)}
    service = read_text(record.finding, "service")
    if service:
        endpoint["svc_name"] = service
    return [{"dst_endpoint": endpoint}]


def _find_activity(record: Record) -> tuple[int, str]:
    if record.status is Status.GONE:
        return CLOSE
    is_update = record.change in UPDATES or (not record.change and record.first_seen not in (None, record.seen_at))
    return UPDATE if is_update else CREATE


def _rank_severity(record: Record) -> int:
    return SEVERITIES[record.finding.severity][0]


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)
