"""What a shard's answer is worth: what nmap did, against what it was asked. nmap's exit code alone says little."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.model.reason import Reason, ReasonCode, Reasons, merge_reasons
from cascan.model.scan import Outcome
from cascan.model.shard import NmapRun, Shard
from cascan.scans.transitions import StopReason
from on_report_stored.report_summary import ReportSummary

TIMED_OUT = {
    StopReason.TIME_LIMIT.value: (ReasonCode.TIME_LIMIT, "shard's time limit"),
    StopReason.SCAN_DEADLINE.value: (ReasonCode.SCAN_DEADLINE, "scan's deadline"),
}
UNPRIVILEGED = ("root privileges", "raw socket", "Operation not permitted")  # nmap's words, and the kernel's
LOOKUPS = frozenset({ReasonCode.NAME_NOT_FOUND, ReasonCode.NAME_WITHOUT_ADDRESS, ReasonCode.LOOKUP_FAILED})
Verdict = tuple[Outcome, Reasons]
Flaw = Verdict  # of one kind


def judge(shard: Shard, answer: ReportSummary) -> Verdict:
    """The outcome, and every reason why it is not complete. The first flaw gives the outcome its name.

    nmap exits 0 on host timeouts, unresolvable names and a full disk: only the accounts of both sides say "complete".
    """
    flaws = list(_flaws(_Case(shard, answer)))
    if not flaws:
        return Outcome.COMPLETE, Reasons()
    return flaws[0][0], merge_reasons(reasons for _, reasons in flaws)


class _Case:
    """One shard, its run and its report, and how reasons about them are put."""

    def __init__(self, shard: Shard, answer: ReportSummary) -> None:
        self.shard, self.answer = shard, answer
        self.about = f"shard {shard.number} ({shard.targets_summary})"

    def flaw(self, outcome: Outcome, code: ReasonCode, sentence: str) -> Flaw:
        return outcome, Reasons.of([Reason.of(code, self.about, sentence)])


def _flaws(case: _Case) -> Iterator[Flaw]:
    run, answer = case.shard.run, case.answer
    if run is None:
        sentence = "a report without a run: no worker says that it wrote it"
        yield case.flaw(Outcome.FAILED, ReasonCode.OTHER, sentence)
        return
    names = tuple(_reasons_of(run))
    if not run.addresses and names:
        yield _of_nothing_scanned(names)
    elif run.exit_code is None or (run.cut and not run.addresses):
        yield _of_no_run(case, run)
    elif failure := _failure(case, run):
        yield failure
        yield from _of_names(names)
    else:
        flaws = [*_of_report(case, run), *_of_names(names)]
        yield from flaws
        if not flaws and not (answer.hosts_answered or answer.elements_unasked or run.asked_again):
            yield case.flaw(Outcome.NOTHING_ANSWERED, ReasonCode.NO_HOST_UP, "no host was up")


def _failure(case: _Case, run: NmapRun) -> Flaw | None:
    """Of a run that left nothing to record."""
    answer = case.answer
    heard = answer.hosts_read or answer.quarantine.count
    refused = (run.exit_code or 0) > 0 or answer.exit == "error"
    if refused and not heard:
        return case.flaw(Outcome.FAILED, *_refusal(run, answer))
    if answer.unreadable and run.stopped not in TIMED_OUT:
        sentence = f"the report cannot be read: {answer.unreadable}"
        return case.flaw(Outcome.FAILED, ReasonCode.REPORT_UNREADABLE, sentence)
    return None


def _of_report(case: _Case, run: NmapRun) -> Iterator[Flaw]:
    """What is missing from a report."""
    answer = case.answer
    if answer.quarantine.count and not answer.given_up:
        yield _of_quarantine(answer)
    broken_off = _flaw_of_run(case, run)
    if broken_off:
        yield broken_off
    if answer.hosts_timed_out:
        yield _of_timed_out_hosts(answer)
    accounted = answer.hosts_read if run.cut else answer.hosts_total or 0
    if accounted < run.addresses and not (broken_off or answer.hosts_timed_out or answer.quarantine.count):
        sentence = f"{accounted} of {run.addresses} addresses are accounted for"
        yield case.flaw(Outcome.PARTIAL, ReasonCode.ADDRESSES_UNACCOUNTED, sentence)


def _reasons_of(run: NmapRun) -> Iterator[Reason]:
    """Why names and targets were not scanned. A worker of an earlier version wrote sentences and names alone."""
    yield from run.reasons
    if not run.reasons:
        for sentence in run.refused:
            yield Reason.of(ReasonCode.OUT_OF_SCOPE, sentence.partition(":")[0], sentence)
        for name in run.unresolved:
            yield Reason.of(ReasonCode.NAME_NOT_FOUND, name, f"no address for {name}")


def _of_nothing_scanned(reasons: tuple[Reason, ...]) -> Flaw:
    """Of a shard that came down to no address at all."""
    codes = {reason.code for reason in reasons}
    if ReasonCode.OUT_OF_SCOPE in codes:
        return Outcome.FAILED, Reasons.of(reasons)
    return Outcome.UNRESOLVED if codes & LOOKUPS else Outcome.PARTIAL, Reasons.of(reasons)


def _of_names(reasons: tuple[Reason, ...]) -> Iterator[Flaw]:
    """Of names and targets that were not scanned beside others that were.

    A name that DNS gave no answer for may well have an address: the answer is partial. One without makes it unresolved.
    """
    unresolved = [r for r in reasons if r.code in LOOKUPS - {ReasonCode.LOOKUP_FAILED}]
    others = [r for r in reasons if r.code not in LOOKUPS or r.code == ReasonCode.LOOKUP_FAILED]
    if others:
        yield Outcome.PARTIAL, Reasons.of(others)
    if unresolved:
        yield Outcome.UNRESOLVED, Reasons.of(unresolved)


def _of_no_run(case: _Case, run: NmapRun) -> Flaw:
    if run.stopped == StopReason.SCAN_DEADLINE:
        sentence = "the scan's deadline passed before nmap was started"
        return case.flaw(Outcome.TIMED_OUT, ReasonCode.SCAN_DEADLINE, sentence)
    if run.cut:
        sentence = "nothing was finished here: another shard has all of it"
    else:
        sentence = "nothing is left to scan after the excludes"
    return case.flaw(Outcome.NOTHING_ANSWERED, ReasonCode.NOTHING_TO_SCAN, sentence)


def _refusal(run: NmapRun, answer: ReportSummary) -> tuple[ReasonCode, str]:
    said = answer.errormsg or run.stderr or f"exit code {run.exit_code}"
    if any(word in said for word in UNPRIVILEGED):
        return ReasonCode.NMAP_PRIVILEGES, f"nmap was refused privileges: {said}"
    return ReasonCode.NMAP_ERROR, f"nmap: {said}"


def _of_quarantine(answer: ReportSummary) -> Flaw:
    kept_out, code = answer.quarantine, ReasonCode.HOST_QUARANTINED
    addresses = list(kept_out.addresses) or ["a host without an address"]
    sentences = {address: f"{address} was reported and is not recorded" for address in addresses}
    sentences[addresses[0]] += f": {kept_out.reason}"
    reasons = [Reason.of(code, address, sentence) for address, sentence in sentences.items()]
    return Outcome.PARTIAL, Reasons.of(reasons, {code: kept_out.count - len(reasons)})


def _of_timed_out_hosts(answer: ReportSummary) -> Flaw:
    code, listed = ReasonCode.HOST_TIMED_OUT, answer.timed_out_addresses
    reasons = [Reason.of(code, address, f"{address} ran into --host-timeout and has no ports") for address in listed]
    return Outcome.TIMED_OUT, Reasons.of(reasons, {code: answer.hosts_timed_out - len(reasons)})


def _flaw_of_run(case: _Case, run: NmapRun) -> Flaw | None:
    """What kept nmap from finishing what it was asked. What another shard has by now is not asked of this one."""
    answer = case.answer
    if answer.given_up:
        sentence = f"the report is too large: {answer.given_up}"
        return case.flaw(Outcome.PARTIAL, ReasonCode.REPORT_LIMIT, sentence)
    if run.cut:
        return None
    if run.stopped in TIMED_OUT:
        code, limit = TIMED_OUT[run.stopped]
        return case.flaw(Outcome.TIMED_OUT, code, f"nmap was stopped at the {limit}")
    if run.stopped == StopReason.SIZE:
        code, why = ReasonCode.REPORT_LIMIT, "its size limit"
    elif run.stopped:
        code, why = ReasonCode.NMAP_STOPPED, f"nmap was stopped: {run.stopped}"
    elif run.exit_code and run.exit_code < 0:
        code, why = ReasonCode.NMAP_KILLED, "nmap was killed"
    elif run.exit_code or answer.exit == "error":
        code, why = _refusal(run, answer)
    elif not answer.complete or answer.exit != "success":
        code = ReasonCode.REPORT_CUT_SHORT
        why = "the report is cut short, though nmap says that it ended well: its disk was full, most often"
    else:
        return None
    return case.flaw(Outcome.PARTIAL, code, f"only a part was reported: {why}")
