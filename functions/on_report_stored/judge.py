"""What a shard's answer is worth: what nmap did, against what it was asked. nmap's exit code alone says little."""

from __future__ import annotations

from cascan.model.scan import Outcome
from cascan.model.shard import NmapRun
from on_report_stored.read_report import Answer


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
    if run.exit_code is None:
        return Outcome.NOTHING_ANSWERED, "nothing is left to scan after the excludes"
    heard = answer.hosts_read or answer.quarantine.count
    if not heard and (run.exit_code > 0 or answer.exit == "error"):
        return Outcome.FAILED, f"nmap: {answer.errormsg or run.stderr or f'exit code {run.exit_code}'}"
    if answer.unreadable:
        return Outcome.FAILED, f"the report cannot be read: {answer.unreadable}"
    if answer.quarantine.count:
        hosts = f"{answer.quarantine.count} hosts were reported that may not be recorded"
        return Outcome.PARTIAL, f"{hosts}: {answer.quarantine.reason}"
    return _worth(run, answer)


def _worth(run: NmapRun, answer: Answer) -> tuple[Outcome, str]:
    if run.stopped == "deadline":
        return Outcome.TIMED_OUT, "nmap was stopped at the shard's time limit"
    if run.stopped or not answer.complete or answer.exit != "success" or run.exit_code:
        why = "its size limit" if run.stopped == "size" else answer.errormsg or run.stderr or "the report is cut short"
        return Outcome.PARTIAL, f"only a part was reported: {why}"
    if answer.hosts_timed_out:
        return Outcome.TIMED_OUT, f"{answer.hosts_timed_out} hosts ran into --host-timeout and have no ports"
    if run.refused:
        return Outcome.PARTIAL, _first(run.refused)
    if run.unresolved:
        return Outcome.UNRESOLVED, f"no address for {_first(run.unresolved)}"
    if answer.hosts_total is None or answer.hosts_total < run.addresses:
        return Outcome.PARTIAL, f"{answer.hosts_total or 0} of {run.addresses} addresses are accounted for"
    if not answer.hosts_up:
        return Outcome.NOTHING_ANSWERED, "no host was up"
    return Outcome.COMPLETE, ""


def _first(sentences: tuple[str, ...]) -> str:
    rest = len(sentences) - 1
    return sentences[0] + (f" (and {rest} more)" if rest else "")
