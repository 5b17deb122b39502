"""A thousand findings that differ as much as findings can: for tests of every format that they are exported in.

The first are of every maker of findings, from real reports of nmap. The others are these with
something that a host, a report or an operator's rule may put into them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice
from typing import Any

import msgspec
from msgspec.structs import replace

from cascan.errors import UnreadableReport
from cascan.findings import build_findings
from cascan.formats.records import Export, Record, ScanFields, Status, find_status
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding, Severity
from cascan.model.inventory import ChangeKind
from cascan.nmap.report.read import read_report
from tests.data.reports import ODDITIES, REAL, SCRIPTS, report
from tests.support.builders import NOW, SCAN_ID, a_scan

COUNT = 1_000
SECRET = "hunter2-is-my-password"  # what exports have to leave out
HOSTILE_TEXTS = (
    "",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r\n=1",
    "\uff1dcmd",
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "a | b\n| --- | --- |\n`x` ``` ~~~ [x](javascript:alert(1)) ![y](http://192.0.2.1/z.png) <https://192.0.2.1/>",
    "# heading\n- list\n1. one\n> quote\n    code\n***\n&lt;b&gt; \\| \\\\",
    "]]></script></style><!-- -->&amp;&#60;\"'",
    "\x1b[2J\x1b]8;;http://192.0.2.1\x07\x00\x7f\x9b31m",
    "\u202egnp.exe\u2066\u200b\ufeff\u2028\u2029",
    "é ü 漢字 🙂 \U0010ffff",
    '","severity":"HIGH"}\n{"id":"forged"}',
    "%s %n {0} ${jndi:ldap://192.0.2.1/a} {{7*7}}",
    "x" * 9_000,
    "A\n" * 2_000,
)
ODD_ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {},
    {"ip_addresses": []},
    {"ip_addresses": None, "mac_address": "52:54:00:12:34:56"},
    {"ip_addresses": ["2001:db8::5", "192.0.2.7"], "hostname": "web.example"},
    {"ip_addresses": ["not an address"], "hostname": "<b>.example"},
    {"ip_addresses": "192.0.2.1", "port": "22", "protocol": 6},
    {"ip_addresses": [None, 5], "port": -1},
    {"ip_addresses": ["192.0.2.9"], "port": 65_535, "protocol": "sctp", "state": "open|filtered"},
    {"ip_addresses": ["fe80::1%eth0"], "port": 70_000, "protocol": "tcp"},
    {"ip_addresses": ["192.0.2.9"], "hostname": 7, "service": ["http"], "serviceProduct": {"a": 1}},
    {"references": [{"type": "CVE", "value": "CVE-2021-44228"}, {"type": "URL", "value": "javascript:alert(1)"}]},
    {"references": "CVE-2014-0160", "cvss": "high"},
    {"suppressed": "known", "severity_rules": ["known"]},
    {"accepted_until": "2099-01-01", "accepted_reason": "a test"},
    {"nested": {"deep": [[[{"x": "<i>"}]]]}, "number": 1e300, "nothing": None, "flag": True},
)
ADDED: tuple[Any, ...] = (
    msgspec.UNSET,
    {"mitigation": "patch <b>now</b> | or not"},
    {"owner": "team@example.com", "ticket": {"id": 5}},
    {"mitigation": None, "references": [], "scan": {"name": "other"}, "severity": "CRITICAL"},
)
SCAN = a_scan()
FIELDS = ScanFields.of(SCAN)
EXPORT = Export(title="a test <b>", generated_at=NOW, version="0.1.0", vantage="default")


@cache
def list_real_findings() -> tuple[Finding, ...]:
    """What the makers of findings make of the reports in tests/data; of those that are alike the first."""
    unique: dict[tuple[str, str, str], Finding] = {}
    for finding in _read_reports():
        unique.setdefault((finding.fingerprint, finding.name, str(sorted(finding.attributes))), finding)
    return tuple(unique.values())


def _read_reports() -> Iterator[Finding]:
    for name in (*REAL, *ODDITIES, *SCRIPTS):
        try:
            for host in read_report(io.BytesIO(report(name))):
                yield from build_findings(host, SCAN_ID, NOW)
        except UnreadableReport:
            continue


@cache
def list_varied_findings(count: int = COUNT) -> tuple[Finding, ...]:
    real = list_real_findings()[: count // 2]
    odd = islice(map(_make_odd, range(count), cycle(real)), count - len(real))
    return (*real, *odd)


def _make_odd(number: int, finding: Finding) -> Finding:
    fingerprint = derive_fingerprint("odd", str(number))
    text = HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)]
    texts = {
        name: text for place, name in enumerate(("name", "description", "category", "location")) if number >> place & 1
    }
    attributes = finding.attributes | ODD_ATTRIBUTES[number % len(ODD_ATTRIBUTES)]
    attributes |= {"banner": text} if number % 3 else {"title": text, "serviceProduct": text, "service": text}
    return replace(
        finding,
        id=derive_finding_id(SCAN_ID, fingerprint),
        fingerprint=fingerprint,
        severity=list(Severity)[number % 4],
        attributes=attributes,
        added=ADDED[number % len(ADDED)],
        **texts,
    )


@cache
def list_varied_records(count: int = COUNT) -> tuple[Record, ...]:
    """The findings as records: every status, change and place, known and not known."""
    return tuple(map(_make_record, range(count), list_varied_findings(count)))


def _make_record(number: int, finding: Finding) -> Record:
    kinds = ("", "", *ChangeKind)
    is_known = number % 2 == 0
    change = str(kinds[number % len(kinds)])
    is_gone = change in {ChangeKind.PORT_CLOSED, ChangeKind.HOST_GONE}
    return Record(
        finding=finding,
        scan=FIELDS if number % 5 else None,
        status=Status.GONE if is_gone else find_status(finding),
        vantage=("default", "office", "dmz-2")[number % 3],
        first_seen=NOW - timedelta(days=number) if is_known else None,
        last_seen=datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC) if is_known else None,
        change=change,
        is_covered=number % 7 != 0,
        labels={"team": "blue", "=site": HOSTILE_TEXTS[number % 4]} if number % 4 else {},
        owner=("", "lan@example.com", "=owner <b>|")[number % 3],
        note="the newest scan did not look at its place" if number % 7 == 0 else "",
    )


def make_secret_finding() -> Finding:
    """A finding with a guessed password, which exports leave out."""
    finding = next(entry for entry in list_real_findings() if entry.category == "Open Port")
    scripts = {"ssh-brute": f"\n  Accounts: \n    root:{SECRET} - Valid credentials\n"}
    return replace(finding, attributes=finding.attributes | {"scripts": scripts})
