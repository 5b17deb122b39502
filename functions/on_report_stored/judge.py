"""What a shard's answer is worth: what nmap did, against what it was asked. nmap's exit code alone says little."""

from __future__ import annotations

from cascan.life_cycle import Stop
from cascan.model.scan import Outcome
from cascan.model.shard import NmapRun
from on_report_stored.answer import Answer

TIMED_OUT = {Stop.TIME_LIMIT.value: "shard's time limit", Stop.SCAN_DEADLINE.value: "scan's deadline"}
UNPRIVILEGED = ("root privileges", "raw socket", "Operation not permitted")  # nmap's words, and the kernel's


def judge(run: NmapRun | None, answer: Answer) -> tuple[Outcome, str]:
    """The outcome, and a sentence where it is not complete.

    nmap exits 0 on host timeouts, unresolvable names and a full disk: only the accounts of both sides say "complete".
    """
    if run is None:
        return Outcome.FAILED, "a report without a run: no worker says that it wrote it"
    if run.refused and not run.addresses:
        return Outcome.FAILED, _first(run.refused)
    if run.unresolved and not run.addresses:
        return Outcome.UNRESOLVED, f"no address for {_first(run.unresolved)}"
    if run.exit_code is None or (run.cut and not run.addresses):
        return _of_no_run(run)
    heard = answer.hosts_read or answer.quarantine.count
    if not heard and (run.exit_code > 0 or answer.exit == "error"):
        return Outcome.FAILED, _refusal(run, answer)
    if answer.unreadable and run.stopped not in TIMED_OUT:
        return Outcome.FAILED, f"the report cannot be read: {answer.unreadable}"
    if answer.quarantine.count and not answer.given_up:
        hosts = f"{answer.quarantine.count} hosts were reported that may not be recorded"
        return Outcome.PARTIAL, f"{hosts}: {answer.quarantine.reason}"
    return _flaw_of_run(run, answer) or _worth(run, answer)


def _of_no_run(run: NmapRun) -> tuple[Outcome, str]:
    if run.stopped == Stop.SCAN_DEADLINE:
        return Outcome.TIMED_OUT, "the scan's deadline passed before nmap was started"
    if run.cut:
        return Outcome.NOTHING_ANSWERED, "nothing was finished here: another shard has all of it"
    return Outcome.NOTHING_ANSWERED, "nothing is left to scan after the excludes"


def _refusal(run: NmapRun, answer: Answer) -> str:
    said = answer.errormsg or run.stderr or f"exit code {run.exit_code}"
    if any(word in said for word in UNPRIVILEGED):
        return f"nmap was refused privileges: {said}"
    return f"nmap: {said}"


def _flaw_of_run(run: NmapRun, answer: Answer) -> tuple[Outcome, str] | None:
    """What kept nmap from finishing what it was asked. What another shard has by now is not asked of this one."""
    if answer.given_up:
        return Outcome.PARTIAL, f"the report is too large: {answer.given_up}"
    if run.cut:
        return None
    if run.stopped in TIMED_OUT:
        return Outcome.TIMED_OUT, f"nmap was stopped at the {TIMED_OUT[run.stopped]}"
    if run.stopped:
        why = "its size limit" if run.stopped == Stop.SIZE else f"nmap was stopped: {run.stopped}"
    elif run.exit_code and run.exit_code < 0:
        why = "nmap was killed"
    elif run.exit_code or answer.exit == "error":
        why = _refusal(run, answer)
    elif not answer.complete or answer.exit != "success":
        why = "the report is cut short, though nmap says that it ended well: its disk was full, most often"
    else:
        return None
    return Outcome.PARTIAL, f"only a part was reported: {why}"


def _worth(run: NmapRun, answer: Answer) -> tuple[Outcome, str]:
    """Of a run that came to its end, or was cut where it had come to."""
    if answer.hosts_timed_out:
        return Outcome.TIMED_OUT, f"{answer.hosts_timed_out} hosts ran into --host-timeout and have no ports"
    if run.refused:
        return Outcome.PARTIAL, _first(run.refused)
    if run.unresolved:
        return Outcome.UNRESOLVED, f"no address for {_first(run.unresolved)}"
    accounted = answer.hosts_read if run.cut else answer.hosts_total or 0
    if accounted < run.addresses:
        return Outcome.PARTIAL, f"{accounted} of {run.addresses} addresses are accounted for"
    if not answer.hosts_up and not run.asked_again:
        return Outcome.NOTHING_ANSWERED, "no host was up"
    return Outcome.COMPLETE, ""


def _first(sentences: tuple[str, ...]) -> str:
    rest = len(sentences) - 1
    return sentences[0] + (f" (and {rest} more)" if rest else "")
