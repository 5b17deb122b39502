"""The fields of a message about its subject: named texts, which a template puts in order.

The values are as they are stored. Text from scanned hosts is made inert when they are rendered.
"""

from __future__ import annotations

from datetime import datetime

from cascan.clock import to_wire
from cascan.exposure_updates.apply_severity_rules import to_finding
from cascan.findings.redact import redact_finding
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.message import EXPOSURE_PREFIX, MessageAttempt, Step

Fields = dict[str, str]
HEADLINES = {
    Step.UNCONFIRMED: "Unconfirmed",
    Step.CONFIRMED: "Confirmed",
    Step.UPDATED: "Severity changed",
    Step.ACKNOWLEDGED: "Acknowledged",
    Step.ACCEPTED: "Accepted",
    Step.EXPIRING: "Acceptance ends soon",
    Step.REOPENED: "Reopened",
    Step.RESOLVED: "Resolved",
    Step.WITHDRAWN: "Not confirmed",
    Step.NOTICE: "Notice",
}
FIELD_NAMES = (
    "title",  # one line: what happened, to what, how severe
    "step",  # one of Step
    "severity",
    "kind",  # of the exposure, or of the notice
    "subject",  # the host and port
    "sentence",  # why it is an exposure, or what happened
    "address",
    "hostname",
    "protocol",
    "port",
    "vantage",
    "state",
    "owner",
    "by",  # who decided
    "why",
    "until",
    "first_seen",
    "last_seen",
    "exposure_id",
    "acknowledge",  # the command that acknowledges it
    "link",  # to the console; empty: none is configured
    "key",  # of the thread
    "message_id",
    "number",  # of the message in its thread
)


def build_exposure_key(exposure_id: str) -> str:
    return EXPOSURE_PREFIX + exposure_id


def build_exposure_fields(
    exposure: Exposure, attempt: MessageAttempt, at: datetime, *, console_url: str = ""
) -> Fields:
    """The fields of a message about an exposure. `console_url`: without a slash at its end."""
    finding = redact_finding(to_finding(exposure, at))
    subject, step = exposure.subject, attempt.statement.step
    about = f"{subject.address} {subject.protocol}/{subject.port}" if subject.protocol else subject.address
    decision = exposure.acceptance or exposure.acknowledgement
    acceptance = exposure.acceptance
    awaits_decision = exposure.state in (ExposureState.OPEN, ExposureState.CONFIRMED)
    fields = {
        "title": f"{HEADLINES[step]}: {about} {subject.kind} ({exposure.severity.value})",
        "step": step.value,
        "severity": exposure.severity.value,
        "kind": subject.kind,
        "subject": about,
        "sentence": finding.description,
        "address": subject.address,
        "hostname": exposure.hostname,
        "protocol": subject.protocol,
        "port": str(subject.port) if subject.protocol else "",
        "vantage": subject.vantage,
        "state": exposure.state.value,
        "owner": exposure.owner,
        "by": decision.by if decision else "",
        "why": decision.why if decision else "",
        "until": acceptance.until.isoformat() if acceptance else "",
        "first_seen": to_wire(exposure.first_seen) if exposure.first_seen else "",
        "last_seen": to_wire(exposure.last_seen) if exposure.last_seen else "",
        "exposure_id": exposure.exposure_id,
        "acknowledge": f"cascan exposure ack {exposure.exposure_id}" if awaits_decision else "",
        "link": f"{console_url}/exposures/{exposure.exposure_id}" if console_url else "",
    }
    return fields | build_attempt_fields(build_exposure_key(exposure.exposure_id), attempt)


def build_attempt_fields(key: str, attempt: MessageAttempt) -> Fields:
    """The fields that every message has."""
    return {"key": key, "message_id": attempt.message_id, "number": str(attempt.number)}
