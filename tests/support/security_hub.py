"""AWS Security Hub in memory, as strict as its documentation: moto's takes anything.

A finding is refused as the service refuses it: by name in `FailedFindings`. What the client checks
before it sends a call (botocore's model), and what fails a whole call, is an error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.model import Shape
from botocore.validate import ParamValidator

MAX_FINDINGS, MAX_FINDING_BYTES, MAX_CALL_BYTES = 100, 240 * 1024, 6 * 1024**2
MAX_CHARS = {"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512, "ProductName": 128, "CompanyName": 128}
MAX_ENTRIES = {"Types": 50, "Resources": 32, "ProductFields": 50, "Vulnerabilities": 5}
NAMESPACES = (
    "Software and Configuration Checks",
    "TTPs",
    "Effects",
    "Unusual Behaviors",
    "Sensitive Data Identifications",
)
MAX_KEY_CHARS, MAX_PRODUCT_FIELD_CHARS, MAX_DETAIL_CHARS, MAX_DETAILS = 128, 2048, 1024, 50
INSTANTS = ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt")
KEPT_BY_CUSTOMERS = ("Note", "UserDefinedFields", "VerificationState", "Workflow")


@cache
def finding_shape() -> Shape:
    """A finding in botocore's model. One object, since it builds the shapes inside it once."""
    return botocore.session.get_session().get_service_model("securityhub").shape_for("AwsSecurityFinding")


def find_faults(finding: Mapping[str, Any], account: str) -> list[str]:
    """What Security Hub would refuse the finding for; empty if it takes the finding."""
    shape = finding_shape()
    report = ParamValidator().validate(dict(finding), shape)
    faults = [report.generate_report()] if report.has_errors() else []
    faults += _find_wrong_values(finding, shape, "finding")
    faults += _find_exceeded_limits(finding)
    faults += [f"not a type: {name}" for name in finding.get("Types", ()) if name.partition("/")[0] not in NAMESPACES]
    faults += [f"{name} is no instant" for name in INSTANTS if not _is_instant(finding.get(name))]
    if finding.get("AwsAccountId") != account:
        faults.append("not the account of the caller")
    if f":product/{account}/default" not in str(finding.get("ProductArn")):
        faults.append("not the default product of the caller")
    return faults


def _find_exceeded_limits(finding: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name} is too long" for name, most in MAX_CHARS.items() if len(str(finding.get(name, ""))) > most)
    yield from (f"too many {name}" for name, most in MAX_ENTRIES.items() if len(finding.get(name, ())) > most)
    for key, value in finding.get("ProductFields", {}).items():
        if len(key) > MAX_KEY_CHARS or len(value) > MAX_PRODUCT_FIELD_CHARS:
            yield f"product field {key}"
    for resource in finding.get("Resources", ()):
        details = resource.get("Details", {}).get("Other", {})
        if len(details) > MAX_DETAILS:
            yield "too many details"
        for key, value in details.items():
            if len(key) > MAX_KEY_CHARS or len(value) > MAX_DETAIL_CHARS:
                yield f"detail {key}"
    if len(json.dumps(finding)) > MAX_FINDING_BYTES:
        yield "more than 240 KB"


class StrictSecurityHub:
    """The client `securityhub` of one account. `refused`: by id, the code with which an import fails."""

    def __init__(self, account: str = "123456789012") -> None:
        self.account = account
        self.findings: dict[str, dict[str, Any]] = {}
        self.calls: list[int] = []  # how many findings each had
        self.refused: dict[str, str] = {}
        self.refusals: Counter[str] = Counter()  # by id: how often it is refused, once
        self.failures: list[str] = []  # codes with which the next calls fail as a whole
        self.invalid: set[str] = set()  # ids that make a whole call invalid

    def batch_import_findings(self, *, Findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 - of AWS
        if self.failures:
            raise ClientError({"Error": {"Code": self.failures.pop(0), "Message": "no"}}, "BatchImportFindings")
        if self.invalid & {str(finding.get("Id")) for finding in Findings}:
            raise ClientError({"Error": {"Code": "InvalidInputException", "Message": "one"}}, "BatchImportFindings")
        if not 1 <= len(Findings) <= MAX_FINDINGS or len(json.dumps(Findings)) > MAX_CALL_BYTES:
            raise ClientError({"Error": {"Code": "InvalidInputException", "Message": "size"}}, "BatchImportFindings")
        self.calls.append(len(Findings))
        failed = []
        for finding in Findings:
            fault = self._find_fault(finding)
            if fault:
                failed.append({"Id": finding["Id"], "ErrorCode": fault[0], "ErrorMessage": fault[1]})
            else:
                self._store(dict(finding))
        return {"FailedCount": len(failed), "SuccessCount": len(Findings) - len(failed), "FailedFindings": failed}

    @property
    def active(self) -> dict[str, dict[str, Any]]:
        return {key: finding for key, finding in self.findings.items() if finding["RecordState"] == "ACTIVE"}

    def _find_fault(self, finding: Mapping[str, Any]) -> tuple[str, str] | None:
        finding_id = str(finding.get("Id"))
        if self.refusals[finding_id] > 0:
            self.refusals[finding_id] -= 1
            return "InternalError", "try again"
        if finding_id in self.refused:
            return self.refused[finding_id], "refused"
        faults = find_faults(finding, self.account)
        return ("InvalidInput", "; ".join(faults)) if faults else None

    def _store(self, finding: dict[str, Any]) -> None:
        stored = self.findings.get(finding["Id"])
        if stored is None:
            self.findings[finding["Id"]] = finding
        elif datetime.fromisoformat(finding["UpdatedAt"]) > datetime.fromisoformat(stored["UpdatedAt"]):
            kept = {name: stored[name] for name in KEPT_BY_CUSTOMERS if name in stored}
            self.findings[finding["Id"]] = finding | kept


def _find_wrong_values(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Values of enums that the model does not list, and empty texts; ParamValidator looks at neither."""
    for name, part, part_shape in _list_parts(value, shape):
        yield from _find_wrong_values(part, part_shape, f"{path}.{name}")
    if shape.type_name == "string":
        allowed = shape.enum
        if allowed and value not in allowed:
            yield f"{path} is {value!r}, not one of {allowed}"
        if not value:
            yield f"{path} is empty"


def _list_parts(value: Any, shape: Any) -> list[tuple[object, Any, Any]]:
    """Each part of a structure, a list or a mapping, with its name and its shape."""
    if shape.type_name == "structure":
        return [(name, part, shape.members[name]) for name, part in value.items() if name in shape.members]
    if shape.type_name == "list":
        return [(number, part, shape.member) for number, part in enumerate(value)]
    return [(name, part, shape.value) for name, part in value.items()] if shape.type_name == "map" else []


def _is_instant(text: object) -> bool:
    try:
        return datetime.fromisoformat(str(text)).tzinfo is not None
    except ValueError:
        return False
