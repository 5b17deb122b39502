"""What a console does: each action is in the audit list, with its outcome."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import yaml
from httpx import Response
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.events.control import Action, ControlRequested
from cascan.model.audit import BEGUN, AuditEntry
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.message import AttemptState, MessageAttempt, MessageThread, Statement, Step, StoredChannels
from cascan.model.saved_filter import SavedFilter
from cascan.model.scan import ScanState
from cascan.model.vantage import Vantage
from tests.support.builders import SCAN_ID, a_scan
from tests.unit.cascan.exposure_updates.conftest import NOON
from tests.unit.cascan_cli.ui.conftest import HOSTILE, Site, read_text

SCHEDULE = """
apiVersion: execution.securecodebox.io/v1
kind: ScheduledScan
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  scanSpec: {scanType: nmap, parameters: ["127.0.0.1"]}
"""
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


def test_the_audit_list_has_no_secret_of_the_options(site: Site) -> None:
    options = "-sV -p 22 --script ssh-hostkey --script-args 'ssh.user=ann,ssh.password=hunter2'"
    site.post("/submit", **{**FORM, "parameters": options})
    assert "hunter2" in site.stack.request_queue.sent[0]
    assert "ssh.user=ann,ssh.password=(redacted)" in the_entry(site).subject


def test_a_request_may_name_one_of_the_vantages(site: Site) -> None:
    site.table.put_vantage(Vantage(name="office", queues={}))
    assert "<option>office</option>" in site.get("/submit").text
    site.post("/submit", **{**FORM, "vantage": "office"})
    (body,) = site.stack.request_queue.sent
    assert json.loads(body)["vantage"] == ["office"]


def test_the_message_of_an_action_is_shown_once(site: Site) -> None:
    site.post("/submit", **FORM)
    assert "was requested" in site.text("/scans")
    assert "was requested" not in site.text("/scans")


def test_a_reader_sees_the_explanation_and_no_button(reader: Site) -> None:
    text = reader.get("/submit?targets=127.0.0.1").text
    assert "It would be accepted" in text
    assert "<form method=" not in text


def test_a_host_is_scanned_again_by_one_button(scanned: Site) -> None:
    response = scanned.post("/hosts/10.0.0.1")
    (body,) = scanned.stack.request_queue.sent
    assert json.loads(body) == {"targets": ["10.0.0.1"], "parameters": ["-sV"]}
    assert response.headers["location"].startswith("/scans/")
    assert "8.8.8.8 is outside AllowedTargets" in read_text(scanned.post("/hosts/8.8.8.8", 400))


def test_a_running_scan_is_suspended_resumed_and_cancelled(site: Site) -> None:
    site.table.create_scan(a_scan())
    place = f"/scans/{SCAN_ID}"
    assert re.findall(r"<button>(\w+)</button>", site.get(place).text) == ["Suspend", "Cancel"]
    site.post(place, action="suspend")
    (message,) = site.stack.control_queue.sent
    assert ControlRequested.from_wire(message).action is Action.SUSPEND
    assert "The request to suspend the scan was sent" in site.text(place)
    site.table.scans[SCAN_ID] = a_scan(state=ScanState.SUSPENDED)
    assert "Resume" in re.findall(r"<button>(\w+)</button>", site.get(place).text)
    site.table.scans[SCAN_ID] = a_scan(state=ScanState.DONE)
    assert "there is nothing to cancel" in read_text(site.post(place, 400, action="cancel"))
    site.post(place, 400, action="halt")
    assert len(site.stack.control_queue.sent) == 1
    assert [entry.outcome[:7] for entry in site.table.audit.values()] == ["done", "refused"]


# ---- exposures


def the_exposure(site: Site) -> Exposure:
    (exposure,) = site.table.exposures.values()
    return exposure


def test_an_exposure_is_acknowledged_accepted_and_reopened(exposed: Site) -> None:
    place = f"/exposures/{the_exposure(exposed).exposure_id}"
    exposed.post(place, action="ack", why="the owner knows")
    assert the_exposure(exposed).state is ExposureState.ACKNOWLEDGED
    assert "The exposure is acknowledged." in exposed.text(place)
    exposed.post(place, action="accept", until="2026-12-31", why="until the move")
    assert the_exposure(exposed).state is ExposureState.ACCEPTED
    exposed.post(place, action="reopen")
    assert the_exposure(exposed).state is ExposureState.CONFIRMED
    entries = exposed.table.audit.values()
    assert sorted(entry.action for entry in entries) == ["accept exposure", "acknowledge exposure", "reopen exposure"]
    assert {entry.outcome for entry in entries} == {"done"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"action": "accept", "until": "2026-12-31"}, "needs a reason"),
        ({"action": "accept", "until": "tomorrow", "why": "so"}, "is not a date"),
        ({"action": "accept", "until": "2020-01-01", "why": "so"}, "has passed"),
        ({"action": "reopen"}, "there is nothing to change"),
        ({"action": "delete"}, "must be one of ack, accept, reopen"),
        ({"action": "ack", "why": "x" * 5_000}, "characters, more than"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_with_a_sentence(
    fields: dict[str, str], problem: str, exposed: Site
) -> None:
    before = the_exposure(exposed)
    response = exposed.post(f"/exposures/{before.exposure_id}", 400, **fields)
    assert problem in read_text(response)
    assert the_exposure(exposed) == before
    assert all(entry.outcome.startswith("refused: ") for entry in exposed.table.audit.values())


def test_several_exposures_are_decided_on_at_once_with_an_entry_for_each(exposed: Site) -> None:
    ids = [exposure.exposure_id for _, exposure in exposed.table.list_exposures(ExposureState.CONFIRMED)]
    page = exposed.get("/exposures?severity=HIGH").text + exposed.get("/exposures").text
    assert all(f'name="pick:{exposure_id}"' in page for exposure_id in ids)
    picked = {f"pick:{exposure_id}": "1" for exposure_id in [*ids, "none-such"]}
    response = exposed.post("/exposures?host=", 303, **picked, **{"action": "ack", "ack-why": "in the ticket"})
    assert response.headers["location"] == "/exposures?host="
    text = exposed.text("/exposures")
    assert f"{len(ids)} of {len(ids) + 1} rows: acknowledge exposure, done. Refused: none-such:" in text
    assert {exposed.table.get_exposure(each).state for each in ids} == {ExposureState.ACKNOWLEDGED}  # type: ignore[union-attr]  # they exist
    entries = {entry.subject.split()[0]: entry for entry in exposed.table.audit.values()}
    assert set(entries) == {*ids, "none-such"}
    assert {entries[each].outcome for each in ids} == {"done"}
    assert entries["none-such"].outcome.startswith("refused: ")
    assert entries[ids[0]].subject == f"{ids[0]} in the ticket"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"action": "ack"}, "pick at least one row"),
        ({"action": "accept", "pick:a": "1", "accept-until": "2026-12-01"}, "an acceptance needs a reason"),
        ({"action": "reopen", "pick:a": "1"}, "must be one of ack, accept"),
        ({"action": "ack"} | {f"pick:{number}": "1" for number in range(60)}, "60 rows are picked: at most 50"),
    ],
)
def test_a_choice_that_cannot_be_decided_on_changes_nothing(
    fields: dict[str, str], problem: str, exposed: Site
) -> None:
    assert problem in read_text(exposed.post("/exposures", 400, **fields))
    assert not exposed.table.audit


def test_a_reader_has_nothing_to_pick(reader: Site) -> None:
    for path in ("/exposures", "/messages"):
        assert 'type="checkbox"' not in reader.get(path).text
        assert "<button name=" not in reader.get(path).text


# ---- messages


def park(site: Site, key: str, state: AttemptState) -> None:
    statement = Statement(step=Step.CONFIRMED)
    attempt = MessageAttempt(
        statement=statement, state=state, message_id=key, number=1, at=NOON, title=f"of {key} {HOSTILE}", reason="404"
    )
    site.stack.messages.put_thread(MessageThread(key=key, channel="team", attempt=attempt, revision=1))


def test_messages_that_have_not_arrived_are_listed_and_sent_again(site: Site) -> None:
    park(site, "exposure/abc", AttemptState.PARKED)
    park(site, "series/lan", AttemptState.WAITING)
    page = site.get("/messages").text
    assert '<a href="/exposures/abc">' in page
    assert 'name="pick:exposure/abc"' in page
    assert 'name="pick:series/lan"' not in page  # it is sent again by itself
    assert "series/lan" not in site.text("/messages?state=parked")
    site.post("/messages?state=parked", 303, **{"action": "retry", "pick:exposure/abc": "1"})
    (sent,) = site.stack.message_queue.sent
    assert json.loads(sent)["key"] == "exposure/abc"
    assert (the_entry(site).action, the_entry(site).subject) == ("send message again", "exposure/abc")
    assert "1 of 1 row: send message again, done." in site.text("/messages")


def test_one_message_that_has_arrived_meanwhile_does_not_keep_the_others_from_being_sent_again(site: Site) -> None:
    park(site, "exposure/abc", AttemptState.PARKED)
    site.post("/messages", 303, **{"action": "retry", "pick:exposure/gone": "1", "pick:exposure/abc": "1"})
    (sent,) = site.stack.message_queue.sent
    assert json.loads(sent)["key"] == "exposure/abc"
    text = site.text("/messages")
    assert "1 of 2 rows: send message again, done. Refused: exposure/gone: no such message is parked" in text


def test_a_file_of_channels_that_this_version_refuses_is_named(site: Site) -> None:
    stored = StoredChannels(version=1, stored_at=NOON, text="channels: {team: {pigeon: true}}")
    assert site.stack.messages.put_channels(stored)
    page = site.get("/messages", 503).text
    assert "the file of channels is from another version of cascan" in page


def test_messages_are_muted_for_a_time_and_the_mute_is_ended(site: Site) -> None:
    site.post("/messages", 303, action="mute", network="10.0.0.0/24 10.1.0.0/16", duration="2h", reason="new switch")
    (mute,) = site.stack.mutes.list_mutes()
    assert (mute.networks, mute.by, mute.ends_at) == (
        ("10.0.0.0/24", "10.1.0.0/16"),
        "AIDAANN",
        NOON + timedelta(hours=2),
    )
    text = site.text("/messages")
    assert "Messages about 10.0.0.0/24, 10.1.0.0/16 are muted until" in text
    assert f"{mute.mute_id} active" in text
    site.post("/messages", 303, action="unmute", mute=mute.mute_id)
    assert "has ended" in site.text("/messages")
    assert [entry.action for entry in site.table.audit.values()] == ["mute messages", "end mute"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"action": "mute", "duration": "2h"}, "fill in one of them"),
        ({"action": "mute", "duration": "2h", "all": "yes", "owner": "x"}, "fill in one of them"),
        ({"action": "mute", "all": "yes"}, "say how long the mute lasts"),
        ({"action": "mute", "network": "moon", "duration": "2h"}, "--network 'moon'"),
        ({"action": "unmute", "mute": "none"}, "there is no mute 'none'"),
        ({"action": "sing"}, "must be one of retry, mute, unmute"),
    ],
)
def test_an_impossible_mute_is_refused_with_a_sentence(fields: dict[str, str], problem: str, site: Site) -> None:
    assert problem in read_text(site.post("/messages", 400, **fields))
    assert site.stack.mutes.list_mutes() == []


# ---- schedules


def test_a_schedule_is_paused_resumed_and_run(site: Site) -> None:
    document = yaml.safe_load(SCHEDULE)
    site.stack.schedules.put_schedule("nightly", document)
    assert "active" in site.text("/schedules")
    site.post("/schedules/nightly", action="pause")
    assert "suspended" in site.text("/schedules/nightly")
    site.post("/schedules/nightly", action="resume")
    assert "active" in site.text("/schedules/nightly")
    site.post("/schedules/nightly", action="run-now")
    (sent,) = site.stack.schedule_queue.sent
    assert "nightly" in sent
    assert "was requested" in site.text("/schedules/nightly")
    site.post("/schedules/nightly", 400, action="delete")
    site.post("/schedules/guess", 404, action="pause")
    assert [entry.action for entry in site.table.audit.values()] != []


# ---- saved filters


def save(site: Site, status: int = 303, /, **fields: str) -> Response:
    plain = {"action": "save", "page": "findings", "name": "web", "query": "port=443&text=&sort=address&page=3&after=9"}
    return site.post("/saved-filters", status, **(plain | fields))


def test_filters_are_saved_under_a_name_offered_above_the_list_and_removed(site: Site) -> None:
    page = site.get("/findings?port=443&text=&page=1").text
    assert '<input type="hidden" name="query" value="port=443" form="save-filters">' in page
    assert save(site).headers["location"] == "/findings?port=443&sort=address"
    assert '<a href="/findings?port=443&amp;sort=address">web</a>' in site.get("/findings").text
    assert ">web</a>" not in site.get("/inventory").text
    assert "there is a saved filter web" in read_text(save(site, 400, query="port=22"))
    save(site, action="remove")
    assert ">web</a>" not in site.get("/findings").text
    entries = [(entry.action, entry.subject.split()[:2], entry.outcome[:7]) for entry in site.table.audit.values()]
    about = ["findings", "web"]
    assert sorted(entries) == [
        ("remove filter", about, "done"),
        ("save filter", about, "done"),
        ("save filter", about, "refused"),
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "<b>"}, "must be 1 to 60 letters"),
        ({"name": ""}, "must be 1 to 60 letters"),
        ({"name": "x" * 61}, "must be 1 to 60 letters"),
        ({"page": "../etc"}, "has no saved filters"),
        ({"page": ""}, "has no saved filters"),
        ({"query": "text=&page=2"}, "there is nothing to save"),
        ({"query": "text=" + "x" * 2_000}, "more than 2000 characters"),
        ({"action": "sing"}, "must be one of save, remove"),
    ],
)
def test_filters_that_cannot_be_saved_are_refused(fields: dict[str, str], problem: str, site: Site) -> None:
    assert problem in read_text(save(site, 400, **fields))
    assert not site.table.saved_filters


def test_no_more_filters_are_saved_than_the_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan_cli.ui.pages.saved_filters.MAX_SAVED_FILTERS", 1)
    save(site)
    assert "has 1 saved filters; remove one first" in read_text(save(site, 400, name="another"))


def test_a_reader_follows_saved_filters_and_changes_none(reader: Site) -> None:
    reader.table.save_filter(SavedFilter(page="findings", name="web", query="port=443", saved_at=NOON))
    page = reader.get("/findings").text
    assert '<a href="/findings?port=443">web</a>' in page
    assert "Remove the saved filter" not in page


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
