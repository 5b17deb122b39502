"""What an answer is worth: both nmap's account and ours must say that it is whole."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.recording import ReportEnd
from cascan.model.scan import Outcome
from cascan.model.shard import NmapRun
from on_report_stored.judge import judge
from on_report_stored.report_summary import ReportSummary
from tests.support.builders import a_run, a_shard


def judged(run: NmapRun | None, answer: ReportSummary) -> tuple[Outcome, str]:
    """The outcome and the sentence of the shard that the run is of."""
    outcome, reasons = judge(a_shard(run=run), answer)
    return outcome, reasons.sentence


def a_summary(**fields: Any) -> ReportSummary:
    """Of a report that has these fields, some of which are its end's."""
    end = {name: fields.pop(name) for name in ReportEnd.__struct_fields__ if name in fields}
    return ReportSummary(end=ReportEnd(**end), **fields)


def an_answer(**fields: Any) -> ReportSummary:
    whole: dict[str, Any] = {"complete": True, "exit": "success", "hosts_total": 1, "hosts_read": 1, "hosts_up": 1}
    return a_summary(**whole | fields)


def test_a_whole_report_of_every_address_is_complete() -> None:
    assert judged(a_run(), an_answer()) == (Outcome.COMPLETE, "")


@pytest.mark.parametrize(
    ("run", "answer", "outcome", "sentence"),
    [
        (
            {},
            {"hosts_timed_out": 2, "timed_out_addresses": ("10.0.0.7", "10.0.0.8")},
            Outcome.TIMED_OUT,
            "10.0.0.7 ran into --host-timeout and has no ports (and 1 more)",
        ),
        ({"addresses": 3}, {}, Outcome.PARTIAL, "1 of 3 addresses are accounted for"),
        ({}, {"hosts_total": None}, Outcome.PARTIAL, "0 of 1 addresses"),
        ({}, {"complete": False, "exit": None}, Outcome.PARTIAL, "its disk was full, most often"),
        ({"exit_code": -9}, {"complete": False, "exit": None}, Outcome.PARTIAL, "nmap was killed"),
        ({"stopped": "worker", "exit_code": -15}, {"complete": False}, Outcome.PARTIAL, "nmap was stopped: worker"),
        (
            {"exit_code": 1},
            {"exit": "error", "errormsg": "Couldn't open a raw socket. Error: Operation not permitted (1)"},
            Outcome.PARTIAL,
            "nmap was refused privileges: Couldn't open a raw socket",
        ),
        (
            {"exit_code": -15, "stopped": "scan-deadline"},
            {"complete": False, "hosts_read": 1},
            Outcome.TIMED_OUT,
            "stopped at the scan's deadline",
        ),
        (
            {"exit_code": -15, "stopped": "deadline"},
            {"unreadable": "empty", "hosts_read": 0},
            Outcome.TIMED_OUT,
            "shard's time limit",
        ),
        ({"exit_code": 1, "stderr": "disk full"}, {}, Outcome.PARTIAL, "disk full"),
        ({"exit_code": -25, "stopped": "size"}, {"complete": False}, Outcome.PARTIAL, "size limit"),
        ({"exit_code": -15, "stopped": "deadline"}, {"complete": False}, Outcome.TIMED_OUT, "time limit"),
        ({"unresolved": ("a.test", "b.test")}, {}, Outcome.UNRESOLVED, "no address for a.test (and 1 more)"),
        ({"refused": ("10.0.0.1 is outside",)}, {}, Outcome.PARTIAL, "10.0.0.1 is outside"),
        ({}, {"hosts_up": 0, "hosts_counted_up": 0}, Outcome.NOTHING_ANSWERED, "no host was up"),
    ],
)
def test_what_is_missing_is_named(run: dict[str, Any], answer: dict[str, Any], outcome: Outcome, sentence: str) -> None:
    found, said = judged(a_run(**run), an_answer(**answer))
    assert found is outcome
    assert sentence in said


@pytest.mark.parametrize(
    ("run", "answer", "outcome", "sentence"),
    [
        ({"exit_code": 1, "stderr": "Unknown option"}, {"unreadable": "empty"}, Outcome.FAILED, "nmap: Unknown option"),
        (
            {"exit_code": 1, "stderr": "You requested a scan type which requires root privileges.\nQUITTING!"},
            {"unreadable": "empty"},
            Outcome.FAILED,
            "nmap was refused privileges: You requested a scan type which requires root privileges.",
        ),
        (
            {"exit_code": 126, "stderr": "/usr/bin/nmap: Operation not permitted"},
            {"unreadable": "empty"},
            Outcome.FAILED,
            "nmap was refused privileges: /usr/bin/nmap: Operation not permitted",
        ),
        (
            {"exit_code": None, "stopped": "scan-deadline"},
            {"unreadable": "empty"},
            Outcome.TIMED_OUT,
            "deadline passed before nmap was started",
        ),
        (
            {"exit_code": -15, "stopped": "deadline", "cut": True, "addresses": 0},
            {"complete": False},
            Outcome.NOTHING_ANSWERED,
            "another shard has all of it",
        ),
        ({"exit_code": 1}, {"exit": "error", "errormsg": "bad ports"}, Outcome.FAILED, "nmap: bad ports"),
        ({"exit_code": 255}, {"unreadable": "empty"}, Outcome.FAILED, "nmap: exit code 255"),
        ({}, {"unreadable": "not XML"}, Outcome.FAILED, "cannot be read: not XML"),
        ({"exit_code": None, "addresses": 0}, {"unreadable": "empty"}, Outcome.NOTHING_ANSWERED, "nothing is left"),
        (
            {"exit_code": None, "addresses": 0, "unresolved": ("a.test",)},
            {"unreadable": "empty"},
            Outcome.UNRESOLVED,
            "no address for a.test",
        ),
        (
            {"exit_code": None, "addresses": 0, "refused": ("a.test: 8.8.8.8 is outside",)},
            {"unreadable": "empty"},
            Outcome.FAILED,
            "a.test: 8.8.8.8 is outside",
        ),
    ],
)
def test_a_run_without_any_host_says_why(
    run: dict[str, Any], answer: dict[str, Any], outcome: Outcome, sentence: str
) -> None:
    found, said = judged(a_run(**run), a_summary(**answer))
    assert found is outcome
    assert sentence in said


BROKEN_OFF = {"complete": False, "exit": None, "hosts_total": None}


@pytest.mark.parametrize("stopped", ["worker", "deadline", "suspended", ""])
def test_a_run_that_was_cut_is_complete_once_every_host_that_it_finished_is_there(stopped: str) -> None:
    run = a_run(exit_code=-15, stopped=stopped, cut=True, addresses=2)
    assert judged(run, an_answer(hosts_read=2, **BROKEN_OFF)) == (Outcome.COMPLETE, "")
    missing = judged(run, an_answer(hosts_read=1, **BROKEN_OFF))
    assert missing == (Outcome.PARTIAL, "1 of 2 addresses are accounted for")
    slow = judged(run, an_answer(hosts_read=2, hosts_timed_out=1, **BROKEN_OFF))
    assert slow[0] is Outcome.TIMED_OUT


def test_hosts_that_were_kept_out_make_any_answer_partial() -> None:
    kept_out: dict[str, Any] = {
        "quarantined": 3,
        "quarantined_addresses": ("10.0.0.9", "10.0.0.8"),
        "quarantine_reason": "nobody asked for it",
    }
    outcome, reasons = judge(a_shard(run=a_run()), an_answer(**kept_out))
    assert outcome is Outcome.PARTIAL
    assert [(reason.subject, reason.sentence) for reason in reasons.listed] == [
        ("10.0.0.9", "10.0.0.9 was reported and is not recorded: nobody asked for it"),
        ("10.0.0.8", "10.0.0.8 was reported and is not recorded"),
    ]
    assert reasons.counts == {"host-quarantined": 3}
    nothing_else = an_answer(**kept_out, hosts_read=0, exit="error")
    assert judged(a_run(exit_code=1), nothing_else)[0] is Outcome.PARTIAL


def test_a_report_that_no_worker_accounts_for_is_no_answer() -> None:
    assert judged(None, an_answer())[0] is Outcome.FAILED
