"""The pages of the console: what each shows, filters, paging and files."""

from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.model.scan import ScanState
from cascan_cli.ui.console import Streams
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan
from tests.unit.cascan_cli.ui.conftest import HOSTILE, Site

PAGES = ["/", "/scans", "/findings"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_an_empty_stack_says_that_there_is_nothing(path: str, site: Site) -> None:
    assert "No " in site.text(path)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_marks_itself_in_the_navigation_and_has_one_heading(path: str, scanned: Site) -> None:
    text = scanned.get(path).text
    assert f'<a href="{path}" aria-current="page">' in text
    assert text.count("<h1>") == 1


def test_an_unknown_page_or_scan_is_not_found(site: Site) -> None:
    assert "This did not work" in site.text("/nowhere", 404)
    assert f"There is no scan {SCAN_ID}." in site.text(f"/scans/{SCAN_ID}", 404)
    site.get("/scans/..%2f..%2fetc", 404)


def test_scans_are_filtered_by_name_state_and_outcome(site: Site) -> None:
    site.table.create_scan(a_scan(name="lan"))
    site.table.create_scan(a_scan(scan_id="b" * 16, name="dmz", state=ScanState.ERRORED, error_description="no target"))
    assert "no target" in site.text("/scans")
    assert "lan" not in [row["name"] for row in json.loads(site.get("/scans?name=DM&as=json").text)]
    assert [row["scan"] for row in json.loads(site.get("/scans?state=Scanning&as=json").text)] == [SCAN_ID]
    assert "No scan matches." in site.text("/scans?outcome=complete")


def test_a_list_is_paged_and_its_links_keep_the_filters(site: Site) -> None:
    for number in range(101):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=f"lan {number}"))
    first = site.get("/scans?name=lan").text
    assert 'rel="next" href="/scans?name=lan&amp;page=2"' in first
    assert first.count("<tr>") == 101
    assert site.get("/scans?name=lan&page=2").text.count("<tr>") == 2


@pytest.mark.parametrize("page", ["0", "x", "-1", "1e3", "101", "²"])
def test_a_page_that_cannot_be_is_a_problem_with_a_sentence(page: str, site: Site) -> None:
    assert "must be a number from 1 to 100" in site.text(f"/scans?page={page}", 400)
    site.get(f"/findings?page={page}", 400)


def test_a_list_is_exported_as_it_is_shown_without_formulas(site: Site) -> None:
    site.table.create_scan(a_scan(name="=cmd()"))
    response = site.get("/scans?as=csv")
    assert response.headers["content-disposition"] == 'attachment; filename="cascan-scans.csv"'
    columns, row = csv.reader(io.StringIO(response.text))
    assert (columns[0], row[0], row[1]) == ("Scan", SCAN_ID, "'=cmd()")
    assert "must be one of csv, json" in site.text("/scans?as=exe", 400)


def test_a_scan_shows_its_findings_and_its_facts(scanned: Site) -> None:
    scan_id = derive_scan_id("scan at 0")
    text = scanned.text(f"/scans/{scan_id}")
    assert "1 of 1 done" in text
    assert "tcp://10.0.0.1:80" in text


def test_findings_of_all_scans_are_found_by_words_and_filters(scanned: Site) -> None:
    everything = json.loads(scanned.get("/findings?as=json").text)
    assert {row["port"] for row in everything} == {"", "tcp/22", "tcp/80"}
    only_80 = json.loads(scanned.get("/findings?port=80&host=10.0.0.0/24&text=ssh&as=json").text)
    assert [(row["address"], row["port"]) for row in only_80] == [("10.0.0.1", "tcp/80")]
    assert "No finding of an ended scan matches." in scanned.text("/findings?text=telnet")
    assert "--severity awful" in scanned.text("/findings?severity=awful", 400)
    assert "no letter or digit" in scanned.text("/findings?text=!", 400)


def test_a_running_scan_is_live_until_it_ends_and_then_says_so(site: Site) -> None:
    scan = a_scan()
    site.table.create_scan(scan)
    page = site.get(f"/scans/{SCAN_ID}").text
    assert f'hx-sse:connect="/scans/{SCAN_ID}/live"' in page
    site.table.scans[SCAN_ID] = replace(scan, state=ScanState.DONE, finished_at=NOW)
    response = site.get(f"/scans/{SCAN_ID}/live")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert f'data: <div hx-get="/scans/{SCAN_ID}"' in response.text
    assert response.text.endswith("event: end\ndata: end\n\n")
    assert "hx-sse:connect" not in site.get(f"/scans/{SCAN_ID}").text


def test_only_some_pages_are_live_at_once_and_the_others_say_so(site: Site) -> None:
    site.table.create_scan(a_scan(state=ScanState.DONE))
    site.console.streams = Streams(1)
    for _ in range(2):
        assert "event: end" in site.get(f"/scans/{SCAN_ID}/live").text
    assert site.console.streams.take()
    assert "Other pages are live already" in site.text(f"/scans/{SCAN_ID}/live")


def test_a_stream_ends_with_the_console(site: Site) -> None:
    site.table.create_scan(a_scan())
    site.console.is_ending = True
    assert site.get(f"/scans/{SCAN_ID}/live").text == ""
    assert site.console.streams.take()


def test_text_of_hosts_and_requests_is_inert_on_every_page(site: Site) -> None:
    request = a_request(name=HOSTILE, targets=(HOSTILE,), parameters=(HOSTILE,), authorization=HOSTILE)
    scan = a_scan(name=HOSTILE, request=request, error_description=HOSTILE, requested_by=HOSTILE, notes=(HOSTILE,))
    site.table.create_scan(scan)
    for path in (*PAGES, f"/scans/{SCAN_ID}", "/findings?text=%3Cscript%3E", "/scans?name=%22%3E%3Cscript%3E"):
        text = site.get(path).text
        assert "<script>" not in text
        assert not {"\x1b", "\u202e"} & set(text)


def test_a_gateway_that_does_not_answer_is_a_page_with_a_sentence(site: Site) -> None:
    site.table.down = True
    assert "The stack does not answer" in site.text("/scans", 503)
