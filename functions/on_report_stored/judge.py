"""What a shard's report is worth: what nmap did, against what it was asked. nmap's exit code alone
says little.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cascan.model.reason import Reason, ReasonCode, Reasons, merge_reasons
from cascan.model.scan import Outcome
from cascan.model.shard import NmapRun, Shard
from cascan.scans.transitions import StopReason
from on_report_stored.report_summary import ReportSummary

TIMED_OUT = {
    StopReason.TIME_LIMIT: (ReasonCode.TIME_LIMIT, "shard's time limit"),
    StopReason.SCAN_DEADLINE: (ReasonCode.SCAN_DEADLINE, "scan's deadline"),
}
# nmap's messages, and the kernel's
UNPRIVILEGED = ("root privileges", "raw socket", "Operation not permitted")
LOOKUPS = frozenset(
    {
        ReasonCode.NAME_NOT_FOUND,
        ReasonCode.NAME_WITHOUT_ADDRESS,
        ReasonCode.LOOKUP_FAILED,
    }
)


class Verdict(NamedTuple):
    """An outcome, and every reason why it is not complete."""

    outcome: Outcome
    reasons: Reasons


Flaw = Verdict  # of one kind


def judge(shard: Shard, summary: ReportSummary) -> Verdict:
    """The outcome, and every reason why it is not complete. The first flaw gives the outcome its
    name.

    nmap exits 0 on host timeouts, unresolvable names and a full disk: it takes nmap's account and
    ours together to say "complete".
    """
    flaws = list(_Case(shard, summary).find_flaws())
    if not flaws:
        return Verdict(Outcome.COMPLETE, Reasons())
    return Verdict(flaws[0].outcome, merge_reasons(flaw.reasons for flaw in flaws))


class _Case:
    """One shard with its report."""

    def __init__(self, shard: Shard, summary: ReportSummary) -> None:
        self.shard, self.summary = shard, summary
        self.subject = f"shard {shard.number} ({shard.targets_summary})"

    def flaw(self, outcome: Outcome, code: ReasonCode, sentence: str) -> Flaw:
        return Flaw(outcome, Reasons.of([Reason.of(code, self.subject, sentence)]))

    def find_flaws(self) -> Iterator[Flaw]:
        run = self.shard.run
        if run is None:
            sentence = "a report without a run: no worker says that it wrote it"
            yield self.flaw(Outcome.FAILED, ReasonCode.OTHER, sentence)
            return
        unscanned = tuple(_unscanned_reasons(run))
        if not run.addresses and unscanned:
            yield _nothing_scanned(unscanned)
        elif run.exit_code is None or (run.cut and not run.addresses):
            yield self._not_started(run)
        elif failure := self._failure(run):
            yield failure
            yield from _unscanned_flaws(unscanned)
        else:
            flaws = [*self._report_flaws(run), *_unscanned_flaws(unscanned)]
            yield from flaws or self._nothing_answered(run)

    def _not_started(self, run: NmapRun) -> Flaw:
        if run.stopped == StopReason.SCAN_DEADLINE:
            sentence = "the scan's deadline passed before nmap was started"
            return self.flaw(Outcome.TIMED_OUT, ReasonCode.SCAN_DEADLINE, sentence)
        if run.cut:
            sentence = "nothing was finished here: another shard has all of it"
        else:
            sentence = "nothing is left to scan after the excludes"
        return self.flaw(Outcome.NOTHING_ANSWERED, ReasonCode.NOTHING_TO_SCAN, sentence)

    def _failure(self, run: NmapRun) -> Flaw | None:
        """Of a run that left nothing to record."""
        summary = self.summary
        has_hosts = summary.hosts_read or summary.quarantined
        is_refused = (run.exit_code or 0) > 0 or summary.end.exit == "error"
        if is_refused and not has_hosts:
            return self.flaw(Outcome.FAILED, *_nmap_refusal(run, summary))
        if summary.unreadable and run.stopped not in TIMED_OUT:
            sentence = f"the report cannot be read: {summary.unreadable}"
            return self.flaw(Outcome.FAILED, ReasonCode.REPORT_UNREADABLE, sentence)
        return None

    def _report_flaws(self, run: NmapRun) -> Iterator[Flaw]:
        """What is missing from a report."""
        summary = self.summary
        if summary.quarantined and not summary.end.given_up:
            yield _quarantine_flaw(summary)
        interruption = self._interruption(run)
        if interruption:
            yield interruption
        if summary.hosts_timed_out:
            yield _timed_out_hosts(summary)
        is_explained = interruption or summary.hosts_timed_out or summary.quarantined
        if not is_explained:
            yield from self._unaccounted(run)

    def _unaccounted(self, run: NmapRun) -> Iterator[Flaw]:
        """Of addresses that are missing without another flaw."""
        accounted = self.summary.hosts_read if run.cut else self.summary.end.hosts_total or 0
        if accounted < run.addresses:
            sentence = f"{accounted} of {run.addresses} addresses are accounted for"
            yield self.flaw(Outcome.PARTIAL, ReasonCode.ADDRESSES_UNACCOUNTED, sentence)

    def _interruption(self, run: NmapRun) -> Flaw | None:
        """What kept nmap from finishing. What another shard has by now is not missing from this
        one.
        """
        if self.summary.end.given_up:
            sentence = f"the report is too large: {self.summary.end.given_up}"
            return self.flaw(Outcome.PARTIAL, ReasonCode.REPORT_LIMIT, sentence)
        if run.cut:
            return None
        if run.stopped in TIMED_OUT:
            code, limit = TIMED_OUT[StopReason(run.stopped)]
            return self.flaw(Outcome.TIMED_OUT, code, f"nmap was stopped at the {limit}")
        cause = _stop_cause(run) if run.stopped else _exit_cause(run, self.summary)
        if cause is None:
            return None
        code, sentence = cause
        return self.flaw(Outcome.PARTIAL, code, f"only a part was reported: {sentence}")

    def _nothing_answered(self, run: NmapRun) -> Iterator[Flaw]:
        """Of a report without another flaw."""
        summary = self.summary
        if not (summary.hosts_answered or summary.elements_unasked or run.asked_again):
            yield self.flaw(Outcome.NOTHING_ANSWERED, ReasonCode.NO_HOST_UP, "no host was up")


def _stop_cause(run: NmapRun) -> tuple[ReasonCode, str]:
    """Why nmap was stopped by its worker."""
    if run.stopped == StopReason.SIZE:
        return ReasonCode.REPORT_LIMIT, "its size limit"
    return ReasonCode.NMAP_STOPPED, f"nmap was stopped: {run.stopped}"


def _exit_cause(run: NmapRun, summary: ReportSummary) -> tuple[ReasonCode, str] | None:
    """Why nmap ended by itself without a whole report; None: the report is whole."""
    if run.exit_code and run.exit_code < 0:
        return ReasonCode.NMAP_KILLED, "nmap was killed"
    if run.exit_code or summary.end.exit == "error":
        return _nmap_refusal(run, summary)
    if summary.end.complete and summary.end.exit == "success":
        return None
    cause = "its disk was full, most often"
    sentence = f"the report is cut short, though nmap says that it ended well: {cause}"
    return ReasonCode.REPORT_CUT_SHORT, sentence


def _nmap_refusal(run: NmapRun, summary: ReportSummary) -> tuple[ReasonCode, str]:
    message = summary.end.errormsg or run.stderr or f"exit code {run.exit_code}"
    if any(text in message for text in UNPRIVILEGED):
        return ReasonCode.NMAP_PRIVILEGES, f"nmap was refused privileges: {message}"
    return ReasonCode.NMAP_ERROR, f"nmap: {message}"


def _unscanned_reasons(run: NmapRun) -> Iterator[Reason]:
    """Why names and targets were not scanned. A worker of an earlier version wrote sentences and
    names alone.
    """
    yield from run.reasons
    if not run.reasons:
        for sentence in run.refused:
            yield Reason.of(ReasonCode.OUT_OF_SCOPE, sentence.partition(":")[0], sentence)
        for name in run.unresolved:
            yield Reason.of(ReasonCode.NAME_NOT_FOUND, name, f"no address for {name}")


def _nothing_scanned(reasons: tuple[Reason, ...]) -> Flaw:
    """Of a shard that came down to no address at all."""
    codes = {reason.code for reason in reasons}
    if ReasonCode.OUT_OF_SCOPE in codes:
        return Flaw(Outcome.FAILED, Reasons.of(reasons))
    return Flaw(Outcome.UNRESOLVED if codes & LOOKUPS else Outcome.PARTIAL, Reasons.of(reasons))


def _unscanned_flaws(reasons: tuple[Reason, ...]) -> Iterator[Flaw]:
    """Of names and targets that were not scanned beside others that were.

    A name whose lookup failed may well have an address: the outcome is partial. A name without one
    makes it unresolved.
    """
    unresolved_codes = LOOKUPS - {ReasonCode.LOOKUP_FAILED}
    unresolved = [reason for reason in reasons if reason.code in unresolved_codes]
    others = [reason for reason in reasons if reason.code not in unresolved_codes]
    if others:
        yield Flaw(Outcome.PARTIAL, Reasons.of(others))
    if unresolved:
        yield Flaw(Outcome.UNRESOLVED, Reasons.of(unresolved))


def _quarantine_flaw(summary: ReportSummary) -> Flaw:
    code = ReasonCode.HOST_QUARANTINED
    addresses = summary.quarantined_addresses or ("a host without an address",)
    sentences = {address: f"{address} was reported and is not recorded" for address in addresses}
    sentences[addresses[0]] += f": {summary.quarantine_reason}"
    reasons = [Reason.of(code, address, sentence) for address, sentence in sentences.items()]
    return Flaw(Outcome.PARTIAL, Reasons.of(reasons, {code: summary.quarantined - len(reasons)}))


def _timed_out_hosts(summary: ReportSummary) -> Flaw:
    code = ReasonCode.HOST_TIMED_OUT
    reasons = [
        Reason.of(code, address, f"{address} ran into --host-timeout and has no ports")
        for address in summary.timed_out_addresses
    ]
    without_address = summary.hosts_timed_out - len(reasons)
    return Flaw(Outcome.TIMED_OUT, Reasons.of(reasons, {code: without_address}))
