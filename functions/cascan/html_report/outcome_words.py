"""What a scan's outcome means, in words."""

from __future__ import annotations

from cascan.model.reason import ReasonCode
from cascan.model.scan import FINAL_STATES, Outcome, Scan

OUTCOME_SENTENCES = {
    Outcome.COMPLETE: "Every address was scanned, and each of them is accounted for.",
    Outcome.NOTHING_ANSWERED: "Every address was scanned, and no host answered.",
    Outcome.PARTIAL: "A part of the result is missing. What is missing may have open ports.",
    Outcome.TIMED_OUT: "A host or the scan ran into its time limit. What was not reached may have open ports.",
    Outcome.UNRESOLVED: "A name has no address, so nothing was scanned for it.",
    Outcome.FAILED: "No part of the scan has a result. This report says nothing about the targets.",
}
REASON_TITLES = {
    ReasonCode.NAME_NOT_FOUND: "The name does not exist",
    ReasonCode.NAME_WITHOUT_ADDRESS: "The name has no address",
    ReasonCode.LOOKUP_FAILED: "DNS did not answer",
    ReasonCode.OUT_OF_SCOPE: "Outside the scope",
    ReasonCode.ADDRESSES_LEFT_OUT: "More addresses than are scanned",
    ReasonCode.HOST_TIMED_OUT: "The host ran into its time limit",
    ReasonCode.HOST_QUARANTINED: "Reported, but not a target",
    ReasonCode.TIME_LIMIT: "The time limit of a shard",
    ReasonCode.SCAN_DEADLINE: "The deadline of the scan",
    ReasonCode.REPORT_LIMIT: "The report is too large",
    ReasonCode.REPORT_CUT_SHORT: "The report is cut short",
    ReasonCode.REPORT_UNREADABLE: "The report cannot be read",
    ReasonCode.ADDRESSES_UNACCOUNTED: "nmap counted fewer addresses than it was given",
    ReasonCode.NMAP_ERROR: "nmap ended with an error",
    ReasonCode.NMAP_PRIVILEGES: "nmap may not open raw sockets there",
    ReasonCode.NMAP_STOPPED: "nmap was stopped",
    ReasonCode.NMAP_KILLED: "nmap was killed",
    ReasonCode.NO_HOST_UP: "No host answered",
    ReasonCode.NOTHING_TO_SCAN: "The excludes left no address",
    ReasonCode.SHARD_GIVEN_UP: "Given up after several attempts",
    ReasonCode.CANCELLED: "Cancelled",
    ReasonCode.OTHER: "Another reason",
}


def describe_outcome(scan: Scan) -> str:
    """One or two sentences about how complete the result is."""
    if scan.outcome is None:
        if not scan.shards and not scan.members:
            return (
                f"The request was refused: {scan.error_description}" if scan.error_description else "Not planned yet."
            )
        if scan.state not in FINAL_STATES:
            done = scan.shards - scan.shards_open
            return (
                f"The scan has not ended: {done} of {scan.shards} shards are done. This report shows what they found."
            )
        return f"The scan is {scan.state}."
    sentence = OUTCOME_SENTENCES[scan.outcome]
    return f"{sentence} {scan.error_description}".strip()


def title_reason(code: str) -> str:
    """Codes are added over time: an unknown one is its own title."""
    return REASON_TITLES.get(ReasonCode(code), code) if code in set(ReasonCode) else code
