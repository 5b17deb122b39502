"""Results of an exposure check: as rows of a table, as JSON, and as SARIF 2.1.0."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cascan_cli.output.history import format_port
from cascan_cli.output.text import pluralize, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascan.exposure.check import CheckCounts, CheckedPort

COLUMNS = ("RESULT", "VANTAGE", "ADDRESS", "NAME", "PORT", "LINE", "LOOKS", "WHY")
DROPPED = ("LOOKS", "VANTAGE", "NAME")
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "cascanExposure/v1"
RULES = {
    "unexpected-open": ("error", "A port is open, and no entry expects it."),
    "other-service": ("error", "A port runs another service than the entry expects."),
    "missing": ("warning", "A port that an entry requires is not open."),
    "absent": ("warning", "A host whose port an entry requires is not up."),
    "untested": ("note", "It is not known whether the port is open."),
}
NOT_CONFIRMED = "note"  # level of a result that no two looks in a row agree on


def to_row(port: CheckedPort) -> tuple[object, ...]:
    result = port.verdict.kind if port.is_confirmed else f"{port.verdict.kind}?"
    return (
        result,
        port.vantage,
        port.address,
        port.name,
        format_port(port.key),
        port.verdict.line,
        describe_looks(port),
        port.verdict.sentence,
    )


def describe_looks(port: CheckedPort) -> str:
    """How many looks the verdict comes from."""
    if not port.is_covered:
        return "no look"
    if port.looks == 1:
        return "one look"
    if not port.is_confirmed:
        return "not confirmed"
    return "the newest look differs" if port.is_disputed else "two looks"


def describe_counts(counts: CheckCounts) -> str:
    """`2 violations, 40 fine, 1 untested`; what is 0 is left out, except violations."""
    texts = [pluralize(counts.violations, "violation")]
    names = ("fine", "missing", "absent", "untested", "not_covered", "not_confirmed")
    for name in names:
        number = getattr(counts, name)
        if number:
            texts.append(f"{number} {name.replace('_', ' ')}")
    return ", ".join(texts)


def counts_to_json(counts: CheckCounts) -> dict[str, int]:
    return {
        "violations": counts.violations,
        "fine": counts.fine,
        "missing": counts.missing,
        "absent": counts.absent,
        "untested": counts.untested,
        "notCovered": counts.not_covered,
        "notConfirmed": counts.not_confirmed,
    }


def to_json(port: CheckedPort) -> dict[str, Any]:
    entry = port.verdict.entry
    return {
        "result": port.verdict.kind,
        "confirmed": port.is_confirmed,
        "looks": port.looks,
        "vantage": port.vantage,
        "address": port.address,
        "hostname": port.name,
        "protocol": port.key[0],
        "port": port.key[1],
        "state": port.state,
        "lastLook": port.seen_at,
        "expectation": port.verdict.expectation,
        "line": port.verdict.line,
        "owner": entry.owner if entry else "",
        "why": port.verdict.sentence,
    }


def to_sarif(ports: Iterable[CheckedPort], file_name: str, version: str) -> dict[str, Any]:
    """A log with one run. `file_name`: of the expected exposure, as a relative path where it is one."""
    results = [_to_result(port, file_name) for port in ports if port.verdict.kind.value in RULES]
    rules = [
        {"id": rule_id, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for rule_id, (level, text) in RULES.items()
    ]
    driver = {"name": "cascan", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _to_result(port: CheckedPort, file_name: str) -> dict[str, Any]:
    kind = port.verdict.kind.value
    host = port.address or port.name
    text = printable(f"{host} from {port.vantage}: {port.verdict.sentence} ({describe_looks(port)})")
    return {
        "ruleId": kind,
        "ruleIndex": list(RULES).index(kind),
        "level": RULES[kind][0] if port.is_confirmed else NOT_CONFIRMED,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": to_uri(file_name)},
                    "region": {"startLine": port.verdict.line},
                },
                "logicalLocations": [{"fullyQualifiedName": f"{host}:{format_port(port.key)}", "kind": "resource"}],
            }
        ],
        "partialFingerprints": {FINGERPRINT: derive_exposure_fingerprint(port)},
    }


def derive_exposure_fingerprint(port: CheckedPort) -> str:
    """From vantage, host, port and kind: the same in every check, whichever line the entry has."""
    about = "\n".join((port.vantage, port.address or port.name, format_port(port.key), port.verdict.kind))
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def to_uri(file_name: str) -> str:
    """The file as a reference relative to the folder of the call; a file elsewhere by its URI."""
    from pathlib import Path
    from urllib.parse import quote

    path = Path(file_name)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix())
