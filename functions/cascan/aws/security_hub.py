"""SecurityHub imports findings into AWS Security Hub, and repeats those not accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import msgspec
from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.boundary import chunks, error_code, translate_errors, tries
from cascan.errors import GatewayUnavailable
from cascan.gateways import RefusedFinding
from cascan.limits import (
    MAX_FINDINGS_PER_IMPORT,
    MAX_IMPORT_BYTES,
    MAX_IMPORT_TRIES,
    MAX_IMPORTED_FINDING_BYTES,
)

if TYPE_CHECKING:
    from mypy_boto3_securityhub.type_defs import AwsSecurityFindingTypeDef

GATEWAY = "Security Hub"
TOO_LARGE = "TooLarge"  # a code of ours
INVALID_INPUT = "InvalidInputException"
# Parts of the codes with which a finding is not taken now, and may be later
PASSING = ("Internal", "Throttl", "LimitExceeded", "Unavailable", "Timeout")


class SecurityHub:
    """FindingHub on AWS Security Hub, in the account and Region of this process."""

    def import_findings(self, findings: Iterable[dict[str, Any]]) -> list[RefusedFinding]:
        refused: list[RefusedFinding] = []
        for chunk in chunks(findings, MAX_FINDINGS_PER_IMPORT, weigh=_find_size, below=MAX_IMPORT_BYTES):
            large = [finding for finding in chunk if _find_size(finding) > MAX_IMPORTED_FINDING_BYTES]
            refused += [RefusedFinding(finding["Id"], TOO_LARGE, "more than 240 KB") for finding in large]
            if len(large) < len(chunk):
                refused += _import_chunk([finding for finding in chunk if finding not in large])
        return refused


def _import_chunk(findings: list[dict[str, Any]]) -> list[RefusedFinding]:
    """Import the findings of one call, and again those that are not taken for the moment."""
    refused: list[RefusedFinding] = []
    codes: dict[str, str] = {}  # of those, by id
    for _ in tries(MAX_IMPORT_TRIES):
        with translate_errors(GATEWAY):
            failures = _import_once(findings)
        codes = {failure.finding_id: failure.code for failure in failures if _is_passing(failure)}
        refused += [failure for failure in failures if failure.finding_id not in codes]
        findings = [finding for finding in findings if finding["Id"] in codes]
        if not findings:
            return refused
    listed = ", ".join(sorted(set(codes.values())))
    raise GatewayUnavailable(f"{GATEWAY}: {len(findings)} findings were not taken: {listed}")


def _import_once(findings: list[dict[str, Any]]) -> list[RefusedFinding]:
    """The findings that were not taken. A call that one of them makes invalid is made again in halves.

    Raises: ClientError, BotoCoreError: the call failed for another reason.
    """
    try:
        answer = clients.securityhub().batch_import_findings(
            Findings=cast("list[AwsSecurityFindingTypeDef]", findings),
        )
    except ClientError as exc:
        if error_code(exc) != INVALID_INPUT:
            raise
        if len(findings) == 1:
            return [RefusedFinding(findings[0]["Id"], INVALID_INPUT, str(exc))]
        middle = len(findings) // 2
        return _import_once(findings[:middle]) + _import_once(findings[middle:])
    failed = answer.get("FailedFindings", [])
    return [RefusedFinding(failure["Id"], failure["ErrorCode"], failure["ErrorMessage"]) for failure in failed]


def _is_passing(failure: RefusedFinding) -> bool:
    return any(part in failure.code for part in PASSING)


def _find_size(finding: dict[str, Any]) -> int:
    return len(msgspec.json.encode(finding))
