"""The pages of the console: what each shows, filters, paging and files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.findings import build_findings
from cascan.formats.registry import FORMATS
from cascan.gateways import ScanPlace
from cascan.ids import ReportKey, derive_scan_id
from cascan.limits import CONSOLE_PAGE_ROWS
from cascan.model.cascade import BudgetUse, CascadeLine, StoredChild
from cascan.model.finding import HostFindings
from cascan.model.host import Address, Host, Port, Service
from cascan.model.inventory import Change, ChangeKind, HostRecord, HostUpdate, PortRecord, Sighting
from cascan.model.scan import Outcome, Scan, ScanState
from cascan_cli.ui.app import UNEXPECTED
from cascan_cli.ui.console import NAVIGATION, Streams
from cascan_cli.ui.guard import HEADERS
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan
from tests.support.scanned_network import World, xml
from tests.unit.cascan.exposure_updates.conftest import NOON
from tests.unit.cascan_cli.ui.conftest import HOSTILE, Site

PAGES = tuple(place for place, _ in NAVIGATION)
ALWAYS_FULL = {"/submit", "/rules", "/coverage"}  # rules are bundled, and some scope is there


@pytest.mark.parametrize("path", sorted(set(PAGES) - ALWAYS_FULL))
def test_a_page_of_an_empty_stack_says_that_there_is_nothing(path: str, site: Site) -> None:
    assert re.search(r"No|Nothing", site.text(path).split("Clear")[-1])


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
    for number in range(CONSOLE_PAGE_ROWS + 1):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=f"lan {number}"))
    first = site.get("/scans?name=lan").text
    assert 'rel="next" href="/scans?name=lan&amp;page=2&amp;after=' in first
    assert first.count("<tr>") == CONSOLE_PAGE_ROWS + 1
    assert site.get("/scans?name=lan&page=2").text.count("<tr>") == 2


def test_a_later_page_goes_on_behind_the_last_row_and_reads_none_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(CONSOLE_PAGE_ROWS + 3):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=f"lan {number}"))
    following = find_next(site.get("/scans").text)
    whole = [row["scan"] for row in json.loads(site.get("/scans?as=json").text)]
    read: list[object] = []
    list_scans = site.table.list_scans

    def list_and_note(limit: int, *, after: ScanPlace | None = None) -> Iterator[Scan]:
        for scan in list_scans(limit, after=after):
            read.append(scan)
            yield scan

    monkeypatch.setattr(site.table, "list_scans", list_and_note)
    page = site.get(following).text
    assert len(read) == 3
    assert [scan_id for scan_id in whole if f"/scans/{scan_id}" in page] == whole[CONSOLE_PAGE_ROWS:]


def test_a_later_page_of_findings_has_the_rows_that_the_first_has_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scan(0, xml({f"10.0.0.{number}": tuple(range(1, 21)) for number in range(1, 7)}))
    for scan_id, scan in world.table.scans.items():
        world.table.scans[scan_id] = replace(scan, state=ScanState.DONE, outcome=Outcome.COMPLETE, finished_at=NOON)
    site = Site(tmp_path, table=world.table).enter()
    for first in ("/findings?text=", "/findings?text=tcp&category=open+port"):
        whole = [row["address"] for row in json.loads(site.get(f"{first}&as=json").text)]
        place, shown = first, list[str]()
        while place:
            page = site.get(place).text
            shown += re.findall(r'<a href="/hosts/([^"]+)">', page)
            place = find_next(page)
        assert len(whole) > CONSOLE_PAGE_ROWS
        assert shown == whole


def find_next(page: str) -> str:
    """The address of the next page; empty if this is the last one."""
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return unescape(found[1]) if found else ""


@pytest.mark.parametrize(
    "filters",
    ["", "port=3", "host=10.0.0.0/24", "host=10.0.0.2+10.0.0.4/31", "show=also+closed+and+gone", "text=ssh"],
)
def test_the_pages_of_the_inventory_have_each_row_once(filters: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scan(0, xml({f"10.0.0.{number}": tuple(range(1, 31)) for number in range(1, 7)}))
    site = Site(tmp_path, table=world.table).enter()
    whole = [f"{row['address']} {row['port']}" for row in json.loads(site.get(f"/inventory?{filters}&as=json").text)]
    place, shown = f"/inventory?{filters}", list[str]()
    while place:
        page = site.get(place).text
        found = re.findall(r'<a href="/hosts/([^"]+)">[^<]*</a></td><td></td><td>([^<]*)</td>', page)
        shown += [" ".join(row) for row in found]
        place = find_next(page)
    assert shown == whole
    assert whole


def test_a_later_page_of_the_inventory_reads_no_host_before_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.scan(0, xml({f"10.0.0.{number}": tuple(range(1, 31)) for number in range(1, 7)}))
    site = Site(tmp_path, table=world.table).enter()
    following = find_next(site.get("/inventory").text)
    assert "after=10.0.0.2%2F20" in following
    read: list[str] = []
    hosts = site.table.hosts

    def hosts_and_note(*args: Any, **options: Any) -> Iterator[HostRecord]:
        for record in hosts(*args, **options):
            read.append(record.address)
            yield record

    monkeypatch.setattr(site.table, "hosts", hosts_and_note)
    site.get(following)
    assert read[0] == "10.0.0.2"


@pytest.mark.parametrize("place", ["x", "9" * 5_000, "-1", "²", "10.0.0.1/x", "10.0.0.1/" + "9" * 5_000])
def test_a_malformed_cursor_is_a_problem_with_a_sentence(place: str, site: Site) -> None:
    for page in ("findings", "scans", "inventory"):
        assert "as the links of the list have it" in site.text(f"/{page}?page=2&after={place}", 400)


def test_a_list_is_sorted_by_a_column_and_its_file_too(site: Site) -> None:
    for number in (9, 10, 2):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=f"lan {number}"))
    for sort, expected in (("name", ["lan 2", "lan 9", "lan 10"]), ("-name", ["lan 10", "lan 9", "lan 2"])):
        page = site.get(f"/scans?sort={sort}").text
        assert re.findall(r"<td>(lan \d+)</td>", page) == expected
        assert [row["name"] for row in json.loads(site.get(f"/scans?sort={sort}&as=json").text)] == expected
    assert 'aria-sort="descending"' in page
    assert "sort 'x': must be one of scan, name" in site.text("/scans?sort=x", 400)


def test_a_list_is_sorted_whatever_its_texts_are(site: Site) -> None:
    names = ["", "²", "1", "007", "8", "9" * 5_000, "x²", "\x00", "severity", "HIGH"]
    for number, name in enumerate(names):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=name))
    for sort in ("name", "-name", "findings", "remark"):
        listed = [row["name"] for row in json.loads(site.get(f"/scans?sort={sort}&as=json").text)]
        assert sorted(listed) == sorted(names)
    listed = [row["name"] for row in json.loads(site.get("/scans?sort=name&as=json").text)]
    assert listed.index("1") < listed.index("007") < listed.index("8") < listed.index("9" * 5_000)


def test_a_list_is_sorted_as_far_as_the_limit_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan_cli.ui.list_page.MAX_CONSOLE_SORTED", 2)
    for number in range(3):
        site.table.create_scan(a_scan(scan_id=derive_scan_id(str(number)), name=f"lan {number}"))
    assert "Only the first 2 rows are sorted" in site.text("/scans?sort=name")


def test_a_choice_that_leaves_a_filter_out_says_what_is_shown_then(scanned: Site) -> None:
    assert '<option value="">what is open now</option>' in scanned.get("/inventory").text
    assert '<option value="">' not in scanned.get("/changes").text.partition('id="filter-days"')[2]


def test_a_host_links_to_what_else_is_known_of_it(scanned: Site) -> None:
    page = scanned.get("/hosts/10.0.0.1").text
    for place in re.findall(r'<a href="(/[a-z]+\?(?:host|targets)=10.0.0.1)"', page):
        assert "10.0.0.1" in scanned.get(place).text
    assert page.count("=10.0.0.1") == 5


def test_a_list_is_replaced_in_place_and_a_form_works_without_scripts(site: Site) -> None:
    page = site.get("/audit").text
    assert '<form id="filters" class="filters" method="get" role="search" hx-get="/audit"' in page
    assert page.count('id="list"') == page.count('id="list-status"') == page.count('id="intro"') == 1
    assert '<div id="list"><p class="message" role="alert">' in site.get("/findings?severity=awful", 400).text


@pytest.mark.parametrize("page", ["0", "x", "-1", "1e3", "201", "²", "000201", "000001" + "9" * 30, "9" * 5_000])
def test_a_page_that_cannot_be_is_a_problem_with_a_sentence(page: str, site: Site) -> None:
    assert "must be a number from 1 to 200" in site.text(f"/scans?page={page}", 400)
    site.get(f"/findings?page={page}", 400)


def test_the_options_of_a_scan_are_shown_without_secrets(site: Site) -> None:
    options = ("-sV", "--script-args", "smbuser=ann,smbpassword=hunter2")
    site.table.create_scan(a_scan(request=a_request(parameters=options)))
    assert "smbuser=ann,smbpassword=(redacted)" in site.text(f"/scans/{SCAN_ID}")
    assert "hunter2" not in site.get(f"/scans/{SCAN_ID}").text


def test_a_list_is_exported_as_it_is_shown_without_formulas(site: Site) -> None:
    site.table.create_scan(a_scan(name="=cmd()"))
    response = site.get("/scans?as=csv")
    assert response.headers["content-disposition"] == 'attachment; filename="cascan-scans.csv"'
    columns, row = csv.reader(io.StringIO(response.text))
    assert (columns[0], row[0], row[1]) == ("scan", SCAN_ID, "'=cmd()")
    assert "must be one of json, jsonl, csv, md" in site.text("/scans?as=exe", 400)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", ["/findings?text=tcp", "/inventory?port=22", "/changes?days=30"])
def test_findings_the_inventory_and_changes_are_exported_in_every_format(path: str, form: str, scanned: Site) -> None:
    listed = FORMATS[form]
    response = scanned.get(f"{path}&as={form}")
    assert response.headers["content-type"] == listed.media_type
    assert response.headers["content-disposition"].endswith(f'{listed.suffix}"')
    assert "10.0.0.1" in response.text
    assert f"as={form}" in scanned.get(path).text


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "md"])
def test_every_other_list_is_exported_as_a_table(form: str, exposed: Site) -> None:
    for path in ("/exposures", "/schedules", "/rules", "/audit", "/messages", "/coverage", "/reach?host=10.0.0.1"):
        response = exposed.get(f"{path}{'&' if '?' in path else '?'}as={form}")
        assert response.headers["content-disposition"].endswith(f'.{form}"')
    exposed.get("/exposures?as=sarif", 400)


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


def test_the_inventory_lists_what_is_open_and_on_demand_what_was(scanned: Site) -> None:
    open_now = json.loads(scanned.get("/inventory?host=10.0.0.1&as=json").text)
    assert [row["port"] for row in open_now] == ["tcp/22"]
    ever = json.loads(scanned.get("/inventory?host=10.0.0.1&show=also+closed+and+gone&as=json").text)
    assert [(row["port"], row["state"]) for row in ever] == [("tcp/22", "open"), ("tcp/80", "closed")]
    assert '<a href="/hosts/10.0.0.1">' in scanned.get("/inventory?port=22").text


def test_a_host_shows_now_before_and_who_saw_it(scanned: Site) -> None:
    text = scanned.text("/hosts/10.0.0.1")
    for part in ("tcp/80 closed", "Findings, from default", "History, from default", "Seen by, from default"):
        assert part in text
    assert "No scan has looked at this address." in scanned.text("/hosts/10.9.9.9")
    assert "This is not an address." in scanned.text("/hosts/web", 404)
    assert "No scan has looked" in scanned.text("/hosts/2001:db8::1")


def test_the_reachability_matrix_has_a_column_for_each_vantage(scanned: Site) -> None:
    rows = json.loads(scanned.get("/reach?host=10.0.0.0/24&as=json").text)
    assert [(row["address"], row["port"], row["default"].split()[0]) for row in rows] == [
        ("10.0.0.1", "tcp/22", "open"),
        ("10.0.0.2", "tcp/22", "open"),
    ]
    assert "No port that matches" in scanned.text("/reach?show=only+ports+that+differ+by+vantage")


def test_exposures_are_filtered_and_each_says_why(exposed: Site) -> None:
    (row,) = json.loads(exposed.get("/exposures?as=json").text)
    assert (row["host"], row["port"], row["state"]) == ("10.0.0.9", "tcp/23", "confirmed")
    assert exposed.get("/exposures?state=confirmed&host=10.0.0.9&severity=HIGH").text.count("<tr>") == 2
    assert "No exposure matches." in exposed.text("/exposures?state=resolved")
    assert "must be one of" in exposed.text("/exposures?state=bad", 400)
    text = exposed.text(f"/exposures/{row['exposure']}")
    assert "unexpected-open: tcp/23 of 10.0.0.9, seen from default" in text
    assert row["exposure"] in exposed.text("/")
    assert "There is no exposure guess." in exposed.text("/exposures/guess", 404)


def test_a_rule_is_shown_and_tried_on_a_scan(scanned: Site) -> None:
    name = next(iter(read_bundled_rules()))
    assert f"name: {name}" in scanned.text(f"/rules/{name}")
    scan_id = derive_scan_id("scan at 0")
    assert "Dry run of every rule on scan lan" in scanned.text(f"/rules?scan={scan_id}")
    assert f"Dry run of {name} on scan lan" in scanned.text(f"/rules/{name}?scan={scan_id}")
    assert "there is no scan" in scanned.text("/rules?scan=guess", 400)
    assert "There is no rule guess." in scanned.text("/rules/guess", 404)


def test_changes_are_a_list_and_a_chart(scanned: Site) -> None:
    scanned.console.clock = lambda: NOW
    (row,) = json.loads(scanned.get("/changes?as=json").text)
    assert (row["change"], row["address"], row["port"]) == ("PortClosed", "10.0.0.1", "tcp/80")
    text = scanned.get("/changes").text
    assert "2026-03-01: 0 opened or appeared, 1 closed or vanished, 0 others" in text
    assert text.count('<rect class="closed"') == 1
    assert "style=" not in text
    assert "No scan saw a change that matches." in scanned.text("/changes?kind=PortOpened&days=7")
    assert "No scan saw a change that matches." in scanned.text("/changes?host=10.0.0.2&since=2026-01-01")
    assert "must be one of 7, 30, 90" in scanned.text("/changes?days=1000", 400)
    scan_id = derive_scan_id("scan at 1")
    assert "Changes since earlier scans" in scanned.text(f"/scans/{scan_id}")


def test_coverage_says_what_was_never_asked(site: Site) -> None:
    request = a_request(targets=("10.0.0.0/9", "10.128.0.0-255", "web.example.com"), exclude=("10.0.0.0/24",))
    site.table.create_scan(a_scan(request=request, state=ScanState.DONE, outcome=Outcome.COMPLETE))
    rows = {row["inScope"]: row for row in json.loads(site.get("/coverage?as=json").text)}
    assert rows["10.0.0.0/8"]["asked"] == f"{2**23 - 256 + 256:,}"
    assert rows["10.0.0.0/8"]["neverAsked"].startswith("10.0.0.0/24 10.128.1.0/24")
    assert rows["192.168.0.0/16"]["asked"] == "0"
    gaps = site.get("/coverage?show=each+network+that+was+never+asked").text
    assert '<a href="/submit?targets=10.0.0.0%2F24">10.0.0.0/24</a>' in gaps


def test_a_scan_shows_its_cascade_with_what_was_not_followed(site: Site) -> None:
    site.table.create_scan(a_scan(state=ScanState.DONE))
    child = StoredChild(
        key="k", scan_id="b" * 16, rule="nmap-http", name=HOSTILE, scan_type="nmap", parameters=("-p", "80"), targets=1
    )
    site.stack.cascades.begin_cascade(SCAN_ID, {})
    site.stack.cascades.reserve_child(SCAN_ID, SCAN_ID, child, BudgetUse(scans=9, probes=9, cost_micro_usd=9))
    site.stack.cascades.end_cascade(SCAN_ID, [CascadeLine(kind="refused", rule="nmap-ftp", reason=HOSTILE)])
    text = site.text(f"/scans/{SCAN_ID}")
    assert "nmap-http: " in text
    assert "nmap-ftp: refused" in text
    assert "<script>alert" not in site.get(f"/scans/{SCAN_ID}").text
    site.table.create_scan(a_scan(scan_id="b" * 16, name="child"))
    assert f'<a href="/scans/{"b" * 16}">child</a>' in site.get(f"/scans/{SCAN_ID}").text


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_findings_of_a_scan_are_exported_in_each_format(form: str, scanned: Site) -> None:
    response = scanned.get(f"/scans/{derive_scan_id('scan at 0')}?as={form}")
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert "10.0.0.1" in response.text


def test_an_unknown_format_is_named(scanned: Site) -> None:
    assert "unknown format &#39;exe&#39;" in scanned.get(f"/scans/{derive_scan_id('scan at 0')}?as=exe", 400).text


def test_the_list_of_scans_is_live_as_it_is_filtered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.table.create_scan(a_scan(name="lan"))
    assert 'hx-sse:connect="/scans/live?name=lan"' in site.get("/scans?name=lan").text
    list_scans = site.table.list_scans

    def list_and_end(limit: int, *, after: ScanPlace | None = None) -> Iterator[Scan]:
        site.console.is_ending = True
        return list_scans(limit, after=after)

    monkeypatch.setattr(site.table, "list_scans", list_and_end)
    part = site.get("/scans/live?name=lan").text
    assert SCAN_ID in part
    assert 'href="/scans?name=lan&amp;sort=state"' in part
    assert "/scans/live" not in part


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


def test_text_of_hosts_and_requests_is_inert_on_every_page(exposed: Site) -> None:
    site = exposed
    request = a_request(name=HOSTILE, targets=(HOSTILE,), parameters=(HOSTILE,), authorization=HOSTILE)
    scan = a_scan(name=HOSTILE, request=request, error_description=HOSTILE, requested_by=HOSTILE, notes=(HOSTILE,))
    ended = {"state": ScanState.DONE, "shards_open": 0, "changes": {"PortOpened": 1}}
    site.table.create_scan(replace(scan, **ended))
    seen = Sighting(state=HOSTILE, seen_at=NOW, scan_id=SCAN_ID, service=HOSTILE, product=HOSTILE, version=HOSTILE)
    port = PortRecord(protocol="tcp", port=23, latest=replace(seen, state="open"), first_seen=NOW, last_seen=NOW)
    record = HostRecord(
        address="10.0.0.7",
        latest=replace(seen, state="up"),
        first_seen=NOW,
        last_seen=NOW,
        hostname=HOSTILE,
        ports=(port,),
    )
    change = Change(kind=ChangeKind.PORT_OPENED, address="10.0.0.7", after=seen, before=seen, hostname=HOSTILE)
    site.table.save_hosts(ReportKey(SCAN_ID, 0, 1), [HostUpdate(record=record, known=None, changes=(change,))])
    service = Service(name=HOSTILE, product=HOSTILE, version=HOSTILE)
    host = Host(
        state="up",
        reason=HOSTILE,
        addresses=(Address("10.0.0.7", "ipv4"),),
        ports=(Port(protocol="tcp", number=23, state="open", service=service),),
    )
    findings = tuple(build_findings(host, SCAN_ID, NOW, {"10.0.0.7": HOSTILE}))
    site.table.put_findings(SCAN_ID, [HostFindings("10.0.0.7", findings)])
    (exposure,) = site.table.exposures.values()
    site.table.exposures[exposure.exposure_id] = replace(
        exposure, hostname=HOSTILE, owner=HOSTILE, sentence=HOSTILE, severity_rules=(HOSTILE,)
    )
    shown = []
    places = (f"/scans/{SCAN_ID}", f"/exposures/{exposure.exposure_id}", "/hosts/10.0.0.7", "/hosts/10.0.0.9")
    for path in (*PAGES, *places, "/findings?text=%3Cscript%3E", "/scans?name=%22%3E%3Cscript%3E"):
        text = site.get(path).text
        assert "<script>" not in text, path
        assert not {"\x1b", "\u202e"} & set(text)
        shown += [path] if "&lt;script&gt;" in text else []
    assert {"/scans", "/inventory", "/changes", "/exposures", "/findings?text=%3Cscript%3E", *places} <= set(shown)


def test_a_gateway_that_does_not_answer_is_a_page_with_a_sentence(site: Site) -> None:
    site.table.down = True
    assert "The stack does not answer" in site.text("/scans", 503)


def test_without_an_index_the_findings_of_the_latest_scans_are_read(scanned: Site) -> None:
    scanned.stack.is_local = False
    text = scanned.text("/findings?port=80")
    assert "a stack in AWS has no index" in text
    assert "10.0.0.1" in text


def test_a_scan_that_ended_is_found_once_a_page_has_shown_its_end(scanned: Site) -> None:
    scan_id = derive_scan_id("scan at 0")
    ended = scanned.table.scans[scan_id]
    scanned.table.scans[scan_id] = replace(ended, state=ScanState.SCANNING)
    assert "No finding" in scanned.text("/findings?port=80")
    scanned.table.scans[scan_id] = ended
    assert "No finding" in scanned.text("/findings?port=80"), "the index was up to date a moment ago"
    scanned.get(f"/scans/{scan_id}/live")
    assert "10.0.0.1" in scanned.text("/findings?port=80")


def test_a_stream_whose_scan_is_removed_ends_and_frees_its_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan()
    answers = [scan, scan, None]
    monkeypatch.setattr(site.table, "get_scan", lambda _: answers.pop(0))
    site.console.streams = Streams(1)
    assert "data: " in site.get(f"/scans/{SCAN_ID}/live").text
    assert answers == []
    assert site.console.streams.take()


def test_an_unexpected_error_is_a_plain_sentence_with_the_strict_headers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(site.table, "list_scans", fail)
    response = site.get("/scans", 500)
    assert response.text == UNEXPECTED
    assert response.headers.items() >= {(name.lower(), value) for name, value in HEADERS.items()}
