"""`cascan show`, `host` and `explain`: one scan, one host, one finding as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.findings.advice import BY_CATEGORY, find_advice
from cascan.findings.ports import CATEGORIES
from cascan.model.finding import HostFindings, Severity
from cascan.model.scan import Outcome, ScanState
from cascan_cli.main import main
from cascan_cli.output.scan import format_duration
from cascan_cli.output.scan_page import OUTCOMES
from tests.docs.a_stack import Stack, stack
from tests.unit.cascan_cli.test_fail_on import a_finding

__all__ = ["stack"]


class Page:
    """Prints pages, and looks for lines in them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.err = ""

    def __call__(self, line: str, code: int = 0) -> str:
        assert main(line.split()) == code
        out, self.err = self.capsys.readouterr()
        return out

    def json(self, line: str, code: int = 0) -> Any:
        return json.loads(self(f"{line} --json", code))


@pytest.fixture
def page(stack: Stack, capsys: pytest.CaptureFixture[str]) -> Page:
    return Page(capsys)


def fields(out: str) -> dict[str, str]:
    """Label → value of a page."""
    pairs = (line.partition("  ") for line in out.splitlines())
    return {label: value.strip() for label, _, value in pairs if label}


def test_a_scan_is_shown_with_its_outcome_in_words_and_what_changed(stack: Stack, page: Page) -> None:
    out = page(f"show {stack.scanned}", 1)
    shown = fields(out)
    assert shown["state"] == f"Done, partial: {OUTCOMES[Outcome.PARTIAL]}"
    assert shown["targets"] == "127.0.0.1"
    assert "3 new, 3 resolved, 0 not covered; compared with" in shown["since last scan"]
    assert "name-not-found: db: no such name" in out
    assert f"cascan findings {stack.scanned} --new" in out
    assert "1 decision" in out or "2 decisions" in out


def test_a_child_names_its_parent_and_a_running_scan_what_can_be_typed(stack: Stack, page: Page) -> None:
    out = page(f"show {stack.child}", 1)
    assert fields(out)["parent"] == f"{stack.scanned}, by rule follow"
    assert f"cascan watch {stack.child}" in out
    assert "1 of 1 shard have not ended yet" in out


def test_a_refused_scan_says_what_was_refused(page: Page) -> None:
    out = page(f"show {'b' * 16}", 2)
    assert "8.8.8.8: 8.8.8.8 is outside AllowedTargets" in out
    assert "cascan check" in out


def test_a_scan_with_too_many_findings_is_not_compared(
    stack: Stack,
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cascan.queries.scan_page.MAX_COMPARED_FOR_PAGE", 1)
    assert page.json(f"show {stack.scanned}", 1)["sinceLastScan"] is None


def test_a_host_has_its_ports_their_history_its_scans_findings_and_exposures(stack: Stack, page: Page) -> None:
    (host,) = page.json("host 10.0.0.1")
    states = {(port["port"], port["state"]) for port in host["ports"]}
    assert states == {(22, "open"), (23, "open"), (80, "closed")}
    assert [span["state"] for span in host["history"] if span["port"] == 80] == ["open", "closed"]
    assert host["scans"][0]["id"] == stack.scanned
    assert len(host["scans"]) == 2
    assert {finding["name"] for finding in host["findings"]} >= {"Open Port: 22 (ssh)", "Open Port: 23 (ssh)"}
    assert [exposure["kind"] for exposure in host["exposures"]] == ["unexpected-open"]
    assert host["route"] == [{"hop": 1, "address": "10.9.0.1", "name": "gate.example", "ms": 0.31}]
    out = page("host 10.0.0.1")
    assert "1\t10.9.0.1\tgate.example\t0.31 ms" in out
    for title in ("Ports now", "Findings", "Exposures", "Route", "History", "Seen by"):
        assert f"\n{title}\n" in out


def test_a_host_is_found_by_its_name_and_shows_where_it_was(page: Page) -> None:
    out = page("host db")
    assert "10.0.0.1" in out
    assert "mac:52:54:00:12:34:56, seen at 10.0.0.3 until" in out


def test_of_a_host_that_no_scan_looked_at_only_that_is_said(page: Page) -> None:
    assert page("host 192.168.9.9") == ""
    assert "no scan has looked at 192.168.9.9" in page.err
    page("host 10.0.0.0/24", 2)
    assert "cascan inventory 10.0.0.0/24 lists hosts of a network" in page.err
    page("host nosuchname", 2)
    assert "no address in the inventory has this name" in page.err


def test_a_removed_scan_stays_among_those_that_saw_the_host(stack: Stack, page: Page) -> None:
    del stack.table.scans[stack.scanned]
    (host,) = page.json("host 10.0.0.1")
    assert (host["scans"][0]["id"], host["scans"][0]["isRemoved"]) == (stack.scanned, True)


def test_a_finding_is_explained_with_the_output_of_its_script_and_its_rules(stack: Stack, page: Page) -> None:
    out = page(f"explain 5c0ffee --scan {stack.scanned}")
    assert "Source: script ssl-cert." in out
    assert "  Subject: commonName=db" in out
    assert "Renew the certificate" in out
    assert "its severity was HIGH, and is LOW" in out
    assert "none of the 1 scan before in the series had it" in out


def test_the_output_of_a_script_is_taken_from_the_finding_of_its_port(stack: Stack, page: Page) -> None:
    place: dict[str, Any] = {"ip_addresses": ["10.0.0.9"], "port": 443, "protocol": "tcp"}
    port = a_finding("aaaa0001", "Open Port", **place, scripts={"ssl-cert": "line 1\n\x1b[2Jline 2"})
    other = a_finding("aaaa0002", "Open Port", **place | {"port": 22}, scripts={"ssl-cert": "another"})
    certificate = a_finding("aaaa0003", "TLS Certificate", **place, script="ssl-cert")
    stack.table.put_findings(stack.scanned, [HostFindings("10.0.0.9", [other, port, certificate])])
    out = page(f"explain aaaa0003 --scan {stack.scanned}")
    assert "  line 1\n  \\x1b[2Jline 2\n" in out
    assert "another" not in out


def test_an_open_port_is_explained_by_what_nmap_said_of_it_and_since_when(stack: Stack, page: Page) -> None:
    explained = page.json(f"explain {stack.port_22} --scan {stack.scanned}")
    assert "reason syn-ack" in explained["evidence"]
    assert "service ssh" in explained["evidence"]
    assert explained["firstSeen"] == "2026-03-01T12:00:00Z"
    assert len(explained["seenIn"]) == explained["scansCompared"] == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zzzz", "must be the id or the fingerprint"),
        ("123", "must be the id or the fingerprint"),
        ("0123456789", "has no finding that begins with '0123456789'"),
        ("aaaa", "2 findings of scan"),
    ],
)
def test_what_names_no_finding_or_several_is_refused(text: str, sentence: str, stack: Stack, page: Page) -> None:
    twins = [a_finding(f"aaaa000{n}", ip_addresses=["10.0.0.9"]) for n in (1, 2)]
    stack.table.put_findings(stack.scanned, [HostFindings("10.0.0.9", twins)])
    page(f"explain {text} --scan {stack.scanned}", 2)
    assert sentence in page.err


def test_every_category_of_a_port_has_advice_and_others_have_that_of_their_severity() -> None:
    assert set(CATEGORIES.values()) <= set(BY_CATEGORY)
    assert "Act at once" in find_advice(a_finding("x", "Something New", Severity.HIGH)).action
    assert "Renew" in find_advice(a_finding("Expired Certificate", "Invalid Certificate")).action


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (59.6, "1 min 0 s"), (12.0, "12 s"), (200.0, "3 min 20 s"), (7_500.0, "2 h 5 min")],
)
def test_a_duration_is_in_the_units_that_matter(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_text_of_a_request_moves_no_cursor(stack: Stack, page: Page) -> None:
    scan = stack.table.scans[stack.child]
    stack.table.scans[stack.child] = replace(scan, requested_by="a\x1b[2J", notes=("b\x9b",), state=ScanState.SUSPENDED)
    out = page(f"show {stack.child}")
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert f"cascan resume {stack.child}" in out
