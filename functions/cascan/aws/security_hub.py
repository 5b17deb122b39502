"""SecurityHub imports findings into AWS Security Hub, and repeats those not accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from cascan.aws import clients
from cascan.aws.boundary import chunks, translate_errors, tries
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
# Parts of the codes with which a finding is not taken now, and may be later
PASSING = ("Internal", "Throttl", "LimitExceeded", "Unavailable", "Timeout")


class SecurityHub:
    """FindingHub on AWS Security Hub, in the account and Region of this process."""

    def import_findings(self, findings: Iterable[dict[str, Any]]) -> list[RefusedFinding]:
        refused: list[RefusedFinding] = []
        for chunk in chunks(findings, MAX_FINDINGS_PER_IMPORT, weigh=_find_size, below=MAX_IMPORT_BYTES):
            sizes = [_find_size(finding) for finding in chunk]
            too_large = [finding for finding, size in zip(chunk, sizes, strict=True) if _is_too_large(size)]
            refused += [RefusedFinding(finding["Id"], TOO_LARGE, "more than 240 KB") for finding in too_large]
            refused += self._import_chunk([finding for finding in chunk if finding not in too_large])
        return refused

    def _import_chunk(self, findings: list[dict[str, Any]]) -> list[RefusedFinding]:
        refused: list[RefusedFinding] = []
        passing: list[RefusedFinding] = []
        for _ in tries(MAX_IMPORT_TRIES):
            if not findings:
                return refused
            failures = _import_once(findings)
            refused += [failure for failure in failures if not _is_passing(failure)]
            passing = [failure for failure in failures if _is_passing(failure)]
            again = {failure.finding_id for failure in passing}
            findings = [finding for finding in findings if finding["Id"] in again]
        if not findings:
            return refused
        codes = ", ".join(sorted({failure.code for failure in passing}))
        raise GatewayUnavailable(f"{GATEWAY}: {len(findings)} findings were not taken: {codes}")


def _import_once(findings: list[dict[str, Any]]) -> list[RefusedFinding]:
    """The findings that were not taken by one call. Raises: GatewayUnavailable: the call failed."""
    with translate_errors(GATEWAY):
        answer = clients.securityhub().batch_import_findings(
            Findings=cast("list[AwsSecurityFindingTypeDef]", findings),
        )
    failed = answer.get("FailedFindings", [])
    return [RefusedFinding(failure["Id"], failure["ErrorCode"], failure["ErrorMessage"]) for failure in failed]


def _is_passing(failure: RefusedFinding) -> bool:
    return any(part in failure.code for part in PASSING)


def _is_too_large(size: int) -> bool:
    return size > MAX_IMPORTED_FINDING_BYTES


def _find_size(finding: dict[str, Any]) -> int:
    return len(msgspec.json.encode(finding))
