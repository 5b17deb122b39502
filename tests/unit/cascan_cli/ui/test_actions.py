"""What a console does: each action is in the audit list, with its outcome."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.model.audit import BEGUN, AuditEntry
from tests.unit.cascan_cli.ui.conftest import HOSTILE, Site, read_text

FORM = {"targets": "127.0.0.1", "parameters": "-sV -p 22", "name": "", "exclude": "", "vantage": "", "labels": ""}


def the_entry(site: Site) -> AuditEntry:
    (entry,) = site.table.audit.values()
    return entry


# ---- scan


def test_a_request_is_explained_before_it_is_sent(site: Site) -> None:
    text = site.text("/submit?targets=127.0.0.1&parameters=-p+22")
    assert "It would be accepted" in text
    assert "Send the request" in text
    assert "nmap" in text
    assert not site.stack.request_queue.sent
    assert not site.table.audit


def test_what_would_be_refused_cannot_be_sent(site: Site) -> None:
    assert "It would be refused" in site.text("/submit?targets=8.8.8.8")
    response = site.post("/submit", 400, **{**FORM, "targets": "8.8.8.8"})
    assert "It would be refused" in read_text(response)
    assert not site.stack.request_queue.sent


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("targets", " ", "name at least one"),
        ("parameters", '-p "22', "options for nmap: No closing quotation"),
        ("labels", "blue", "'blue' is not KEY=VALUE"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(field: str, value: str, problem: str, site: Site) -> None:
    assert problem in read_text(site.post("/submit", 400, **{**FORM, field: value}))


def test_a_scan_is_requested_listed_and_waited_for(site: Site) -> None:
    response = site.post("/submit", **{**FORM, "labels": "team=blue", "name": "lan"})
    (body,) = site.stack.request_queue.sent
    assert json.loads(body) == {
        "targets": ["127.0.0.1"],
        "parameters": ["-sV", "-p", "22"],
        "exclude": [],
        "name": "lan",
        "labels": {"team": "blue"},
    }
    place = response.headers["location"]
    page = site.text(place)
    assert f"Scan {place.removeprefix('/scans/')} was requested." in page
    assert "as soon as it is planned" in page
    entry = the_entry(site)
    assert (entry.action, entry.subject, entry.by, entry.outcome) == ("scan", "127.0.0.1 -sV -p 22", "AIDAANN", "done")


def test_the_message_of_an_action_is_shown_once(site: Site) -> None:
    site.post("/submit", **FORM)
    assert "was requested" in site.text("/scans")
    assert "was requested" not in site.text("/scans")


def test_a_reader_sees_the_explanation_and_no_button(reader: Site) -> None:
    text = reader.get("/submit?targets=127.0.0.1").text
    assert "It would be accepted" in text
    assert "<form method=" not in text


# ---- audit list


def test_nothing_is_done_if_the_entry_cannot_be_stored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: AuditEntry) -> None:
        raise GatewayUnavailable("scan table")

    monkeypatch.setattr(site.table, "put_audit_entry", refuse)
    assert "The stack does not answer" in read_text(site.post("/submit", 503, **FORM))
    assert not site.stack.request_queue.sent


def test_an_action_that_fails_says_so_in_its_entry(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> str:
        assert the_entry(site).outcome == BEGUN
        raise GatewayUnavailable("request queue")

    monkeypatch.setattr(site.stack.request_queue, "send", fail)
    site.post("/submit", 503, **FORM)
    assert the_entry(site).outcome == "failed: request queue"


def test_the_audit_list_is_shown_filtered_and_inert(site: Site) -> None:
    site.post("/submit", **FORM)
    entry = the_entry(site)
    site.table.put_audit_entry(replace(entry, entry_id="other", subject=HOSTILE, user=HOSTILE, outcome=HOSTILE))
    text = site.get("/audit").text
    assert "127.0.0.1 -sV -p 22" in text
    assert "<script>alert" not in text
    assert "No action of a console is listed." in site.text("/audit?action=accept")
    assert "127.0.0.1" in site.text("/audit?who=aida&action=scan")
