"""DefectDojo's Generic Findings Import, as its documentation has it: the fields, and what an import does.

Sources: docs "Generic Findings Import" and dojo/tools/generic/json_parser.py (fields; an unknown one is an
error), the models' maximum lengths, and "Reimport" with deduplication by unique_id_from_tool.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any

SEVERITIES = {"Info", "Low", "Medium", "High", "Critical"}
REQUIRED = {"title": 511, "severity": 200, "description": None}
TEXTS: dict[str, int | None] = {
    **REQUIRED,
    "cvssv3": 117,
    "cvssv4": 255,
    "mitigation": None,
    "impact": None,
    "steps_to_reproduce": None,
    "severity_justification": None,
    "references": None,
    "thread_id": None,
    "numerical_severity": 4,
    "param": None,
    "payload": None,
    "file_path": 4_000,
    "component_name": 500,
    "component_version": 100,
    "unique_id_from_tool": 500,
    "vuln_id_from_tool": 500,
    "sast_source_object": 500,
    "sast_sink_object": 500,
    "sast_source_file_path": 4_000,
    "service": 200,
    "planned_remediation_version": 99,
    "effort_for_fixing": 99,
    "cve": 50,
    "fix_version": 100,
}
NUMBERS = {"cwe", "epss_score", "epss_percentile", "cvssv3_score", "cvssv4_score", "line", "scanner_confidence",
           "sast_source_line", "nb_occurences"}  # fmt: skip
FLAGS = {"active", "verified", "false_p", "out_of_scope", "risk_accepted", "under_review", "is_mitigated",
         "static_finding", "dynamic_finding", "known_exploited", "ransomware_used", "fix_available"}  # fmt: skip
DATES = {"date", "mitigated", "publish_date", "planned_remediation_date", "kev_date"}
LISTS = {"tags", "vulnerability_ids", "endpoints", "cwes", "files"}
DOCUMENT = {"name": str, "type": str, "version": str, "description": str, "dynamic_tool": bool, "static_tool": bool,
            "soc": bool, "findings": list}  # fmt: skip
ENDPOINT = {"protocol": str, "userinfo": str, "host": str, "port": int, "path": str, "query": str, "fragment": str}


def read_import(document: bytes) -> list[dict[str, Any]]:
    """The findings of the document. AssertionError: a field that is unknown, or of a wrong type or length."""
    content = json.loads(document)
    for name, value in content.items():
        assert isinstance(value, DOCUMENT[name]), name
    findings: list[dict[str, Any]] = content["findings"]
    for finding in findings:
        _check_finding(finding)
    return findings


def _check_finding(finding: dict[str, Any]) -> None:
    assert REQUIRED.keys() <= finding.keys()
    assert finding["severity"] in SEVERITIES
    assert finding["title"]
    assert finding["description"].strip()
    for name, value in finding.items():
        if name in TEXTS:
            most = TEXTS[name]
            assert isinstance(value, str), name
            assert most is None or len(value) <= most, name
        elif name in FLAGS:
            assert isinstance(value, bool), name
        elif name in NUMBERS:
            assert isinstance(value, int | float), name
        elif name in DATES:
            (date if name == "date" else datetime).fromisoformat(value)
        else:
            assert name in LISTS, f"Not allowed fields are present: {name}"
            assert isinstance(value, list)
    assert all(re.fullmatch(r"[^,\s\"']{1,255}", tag) for tag in finding.get("tags", []))
    for endpoint in finding.get("endpoints", []):
        _check_endpoint(endpoint)


def _check_endpoint(endpoint: dict[str, Any]) -> None:
    for name, value in endpoint.items():
        assert isinstance(value, ENDPOINT[name]), name
    host = endpoint["host"]
    assert len(host) <= 500
    if ":" in host:
        ip_address(host)
    assert re.fullmatch(r"[A-Za-z0-9._:-]+", host), host
    assert 0 <= endpoint.get("port", 1) <= 65_535


@dataclass
class DefectDojo:
    """One test of an engagement, which is imported again and again with `close_old_findings`.

    A finding is found again by its unique_id_from_tool. One that comes again after it was closed is
    reopened. What is active and not in the import is closed.
    """

    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicates: int = 0

    def reimport(self, document: bytes) -> None:
        imported = read_import(document)
        ids = [finding["unique_id_from_tool"] for finding in imported]
        self.duplicates += len(ids) - len(set(ids))
        for finding in imported:
            closed = finding.get("is_mitigated", False)
            known = self.findings.setdefault(finding["unique_id_from_tool"], dict(finding))
            known["active"], known["is_mitigated"] = finding["active"] and not closed, closed
        for uid in self.findings.keys() - set(ids):
            self.findings[uid] |= {"active": False, "is_mitigated": True}

    @property
    def active(self) -> set[str]:
        return {uid for uid, finding in self.findings.items() if finding["active"]}
