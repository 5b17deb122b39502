"""The console in a real browser, over a real stack: one tour, and the accessibility of each page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.e2e.console_tour import ADDRESS, EXPECTED, PAGES, Tour, console, listener
from tests.support.browser import chromium

pytestmark = pytest.mark.e2e
MAX_LOG_BYTES = 20_000  # of each file


@pytest.fixture
def expectations(cascan: Cascan, tmp_path: Path) -> Iterator[None]:
    """A file of expected exposure, by which reports are judged during the test."""
    file = tmp_path / "exposure.yaml"
    file.write_text(EXPECTED)
    applied = cascan("exposure apply", str(file))
    assert applied.code == 0, applied.err
    yield
    endpoint = StateDir(cascan.state_dir).endpoint()
    session, options = open_session(endpoint), client_options(endpoint)
    outputs = cascan("local status", "--json").json["outputs"]
    table = session.resource("dynamodb", **options).Table(outputs["ScanTableName"])
    table.delete_item(Key={"pk": "stack", "sk": "expectations"})
    session.client("s3", **options).delete_object(Bucket=outputs["ReportBucketName"], Key="house/expectations.json")


@pytest.fixture
def logs(cascan: Cascan) -> Iterator[None]:
    """What the stack has logged during the test, in the output of the test, which pytest shows if it fails."""
    folder = StateDir(cascan.state_dir).logs
    sizes = {file: file.stat().st_size for file in folder.rglob("*.log")}
    yield
    for file in sorted(folder.rglob("*.log")):
        with file.open("rb") as log:
            log.seek(max(sizes.get(file, 0), file.stat().st_size - MAX_LOG_BYTES))
            sys.stdout.write(f"--- {file.relative_to(folder)}\n{log.read().decode(errors='replace')}\n")


@pytest.mark.usefixtures("expectations", "logs")
def test_a_scan_is_submitted_watched_decided_on_and_exported_in_a_browser(cascan: Cascan) -> None:
    with console(cascan.state_dir) as link, chromium() as browser:
        tour = Tour(browser.new_page())
        tour.enter(link)
        with listener() as port:
            first = tour.scan(port)
            tour.find(port)
            tour.acknowledge()
        second = tour.scan(port)
        assert first != second
        tour.see_change(port)
        (exported,) = [row for row in json.loads(tour.export()) if row["port"] == f"tcp/{port}"]
        assert (exported["change"], exported["address"]) == ("PortClosed", ADDRESS)
        places = [*PAGES, f"/scans/{first}", f"/hosts/{ADDRESS}", f"/submit?targets={ADDRESS}"]
        for place in places:
            assert find_violations(tour.page, link, place) == []
        tour.page.emulate_media(color_scheme="dark")
        for place in ("/", f"/scans/{first}"):
            assert find_violations(tour.page, link, place) == []
        assert tour.problems == []
    actions = [row for row in cascan("scans", "--json").json if row["name"] == "tour"]
    assert {row["id"] for row in actions} >= {first, second}


def find_violations(page: Page, link: str, place: str) -> list[str]:
    """What axe-core finds on the page: rule, and the elements that break it."""
    page.goto(link.partition("/?")[0] + place)
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{place} {each['id']}: {[node['html'] for node in each['nodes'][:3]]}" for each in violations]
