"""The HTML report in a real browser: inert whatever scanned hosts say, usable, and accessible."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page

from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.html_report.build_report import build_report
from cascan.html_report.render_report import render_report
from cascan.html_report.texts import make_visible
from cascan.ids import derive_finding_id, derive_scan_id
from cascan.model.exposure import Exposure, ExposureDay, ExposureState, ExposureSubject
from cascan.model.finding import Finding, Severity
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.nmap.report.read import read_report
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.browser import chromium
from tests.support.builders import NOW, SCAN_ID, a_scan, a_table
from tests.support.hostile_services import BANNERS, serve_banners

DONE = a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE, shards_open=0, finished_at=NOW)
EARLIER = replace(
    DONE, scan_id=derive_scan_id("earlier"), requested_at=NOW - timedelta(days=1), findings=Counts(count=1)
)
# Kept from before the page's own script runs; a policy does not apply to it
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
window.copied = [];
Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { window.copied.push(text); } } });
"""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed"),
]
REACHABLE = "a[href], button, input, select, [tabindex='0']"
MARKUP = "img, iframe, object, embed, base, form, link, audio, video, a[href^='javascript'], [onerror], [onload], b"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


class OpenedReport:
    """A report in a page, with what the page asked for and showed."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self.page.add_init_script(WATCH)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dismiss)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._keep_error)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=yes]")

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _keep_error(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def assert_inert(self) -> None:
        assert [url.rpartition("/")[2] for url in self.requests] == ["report.html"]
        assert (self.dialogs, self.errors, self.page.evaluate("window.violations")) == ([], [], [])
        assert self.page.evaluate("window.attacked") is None


def write_report(folder: Path, findings: list[Finding]) -> Path:
    """The report of a scan with these findings, after one that had another."""
    table = a_table(replace(DONE, findings=Counts(count=len(findings), severities={"HIGH": 2, "LOW": 1})))
    table.create_scan(EARLIER)
    table.put_findings(SCAN_ID, group_by_host(findings))
    table.put_findings(EARLIER.scan_id, group_by_host([a_finding(99, port=99)]))
    table.put_exposure_day(ExposureDay(due_at=NOW))
    subject = ExposureSubject(vantage="default", address="10.0.0.1", kind="unexpected-open", protocol="tcp", port=22)
    exposure = Exposure(exposure_id="e1", subject=subject, state=ExposureState.OPEN, owner="net", revision=1)
    table.put_exposure(replace(exposure, first_seen=NOW))
    report = build_report(table.scans[SCAN_ID], table, MemoryCascadeTable(), now=NOW)
    path = folder / "report.html"
    path.write_bytes(b"".join(render_report(report)))
    return path


def a_finding(number: int, *, port: int = 22, severity: Severity = Severity.LOW, **attributes: Any) -> Finding:
    address = f"10.0.{number >> 8}.{number & 255}"
    plain = {"ip_addresses": [address], "port": port, "protocol": "tcp", "service": "ssh", "scripts": {}}
    fingerprint = f"{number:032x}"
    return Finding(
        id=derive_finding_id(SCAN_ID, fingerprint),
        fingerprint=fingerprint,
        parsed_at=NOW,
        name=f"Open Port: {port} ({number})",
        description=f"Port {port} is open using tcp protocol.",
        category="Open Port",
        severity=severity,
        osi_layer="NETWORK",
        location=f"tcp://{address}:{port}",
        attributes=plain | attributes,
    )


def a_certificate() -> Finding:
    until, subject = "2026-03-20T00:00:00.000Z", {"commonName": "www.example.test"}
    return replace(a_finding(3, port=443, not_after=until, subject=subject), category="TLS Certificate")


def a_traced_host() -> Finding:
    hops = [{"ttl": "1", "ipaddr": "10.9.0.1", "host": "gate.example"}, {"ttl": "3", "ipaddr": "10.0.0.5"}]
    host = a_finding(5, details={"trace": [{"port": "80", "proto": "tcp", "hop": hops}]})
    return replace(host, category="Host", name="Host: 10.0.0.5")


def open_report(browser: Browser, path: Path, **options: Any) -> OpenedReport:
    return OpenedReport(browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **options}), path)


SMALL = [
    a_finding(1, severity=Severity.HIGH, serviceProduct="OpenSSH", scripts={"banner": "SSH-2.0-OpenSSH"}),
    a_finding(2, port=443, severity=Severity.HIGH, serviceProduct="nginx"),
    a_certificate(),
    a_finding(4, port=8080, serviceProduct="=HYPERLINK()"),
]


def names(page: Page) -> list[str]:
    return [text.partition(" (")[0] for text in page.locator("#finding-list tbody .c-name").all_inner_texts()]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What the real nmap says of hostile services."""
    path = tmp_path_factory.mktemp("nmap") / "report.xml"
    with serve_banners() as ports:
        asked = ",".join(map(str, ports.values()))
        options = ["-sT", "-Pn", "-n", "-sV", "--version-intensity", "1", "--script", "banner", "-T5"]
        command = ["nmap", *options, "-p", asked, "-oX", str(path), "127.0.0.1"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    with path.open("rb") as file:
        return [finding for host in read_report(file) for finding in build_findings(host, SCAN_ID, NOW)]


def test_hostile_banners_are_text_and_nothing_else(browser: Browser, hostile: list[Finding], tmp_path: Path) -> None:
    outputs = [finding.attributes.get("scripts") or {} for finding in hostile]
    banners = [output["banner"] for output in outputs if "banner" in output]
    assert len(banners) == len(BANNERS)
    assert sum("<script>" in banner for banner in banners) >= 4  # so they reach the report as they are
    opened = open_report(browser, write_report(tmp_path, hostile))
    page = opened.page
    shown = []
    for button in page.locator("#finding-list button[data-row]").all():
        button.click()
        shown.append(page.locator("#details").inner_text())
        assert page.locator(MARKUP).count() == 0
        page.keyboard.press("Escape")
    for banner in banners:
        beginning = make_visible(banner, keeps_lines=True).strip()[:60]
        assert any(beginning in text for text in shown)
    page.hover("#finding-list tbody")
    assert page.locator("script").count() == 2
    assert page.locator("style").count() == 1
    opened.assert_inert()


def test_the_small_report_is_accessible_in_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    path = write_report(tmp_path, [*SMALL, a_traced_host()])
    for scheme in ("light", "dark"):
        opened = open_report(browser, path, color_scheme=scheme)
        assert opened.page.locator("#topology svg text").all_text_contents()[2:4] == [
            "10.9.0.1",
            "gate.example, 1 host",
        ]
        of_page = Axe().run(opened.page)
        assert of_page.violations_count == 0, of_page.generate_report()
        opened.page.click("#finding-list button[data-row='0']")
        of_details = Axe().run(opened.page, context="#details")
        assert of_details.violations_count == 0, of_details.generate_report()
        opened.assert_inert()


def test_findings_are_searched_filtered_sorted_and_copied(browser: Browser, tmp_path: Path) -> None:
    opened = open_report(browser, write_report(tmp_path, SMALL))
    page = opened.page
    assert "Since your last scan: 0 new, 0 resolved, 1 not covered" in page.inner_text("#since")
    assert names(page) == ["Open Port: 22", "Open Port: 443", "Open Port: 443", "Open Port: 8080"]  # by severity
    for words, expected in (("nginx", 1), ("port:443", 2), ("port:443 www", 1), ("host:10.0.0.1", 1), ("nothing", 0)):
        page.fill("#search", words)
        assert len(names(page)) == expected, words
    page.click("#clear")
    page.click(".toggle.s0")
    assert names(page) == ["Open Port: 22", "Open Port: 443"]
    page.click("#clear")
    page.click("#finding-list th button:text('Port')")
    page.click("#finding-list th button:text('Port')")
    assert names(page)[0] == "Open Port: 8080"
    assert page.get_attribute("#finding-list th.c-port", "aria-sort") == "descending"
    page.click("#copy-rows")
    (copied,) = page.evaluate("window.copied")
    lines = [line.split("\t") for line in copied.splitlines()]
    assert (len(lines), lines[0][0], lines[1][3]) == (5, "severity", "8080/tcp")
    assert lines[1][6] == "'=HYPERLINK()"  # no formula
    page.click("#severities .tile.s0")
    assert len(names(page)) == 2
    opened.assert_inert()


def test_the_keyboard_reaches_everything(browser: Browser, tmp_path: Path) -> None:
    page = open_report(browser, write_report(tmp_path, SMALL)).page
    count = page.evaluate(
        """(selector) => { window.left = new Set([...document.querySelectorAll(selector)].filter((element) =>
             element.tabIndex >= 0 && element.checkVisibility())); return window.left.size; }""",
        REACHABLE,
    )
    for _ in range(count + 2):
        page.keyboard.press("Tab")
        page.evaluate("window.left.delete(document.activeElement)")
    assert page.evaluate("[...window.left].map((element) => element.outerHTML)") == []
    page.focus("#finding-list button[data-row='0']")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.inner_text("#details-title").startswith("Open Port: 443")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.row") == "2"


def test_a_long_list_draws_what_is_visible_and_prints_all_up_to_a_limit(browser: Browser, tmp_path: Path) -> None:
    page = open_report(browser, write_report(tmp_path, [a_finding(number) for number in range(2_500)])).page
    page.locator("#findings").scroll_into_view_if_needed()
    page.wait_for_selector("#finding-list button[data-row='0']")
    assert len(names(page)) < 200
    page.focus("#finding-list button[data-row='0']")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.row") == "2499"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#finding-list tbody .c-name").count() == 2_000
    assert page.inner_text("#finding-list-note").startswith("Printed: the first 2,000 of 2,500 findings.")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(names(page)) < 200


def test_a_phone_shows_it_without_scrolling_sideways_and_a_browser_without_scripts_a_summary(
    browser: Browser, tmp_path: Path
) -> None:
    path = write_report(tmp_path, SMALL)
    phone = open_report(browser, path, viewport={"width": 360, "height": 740}).page
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    assert len(names(phone)) == 4
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(path.as_uri())
    summary = page.inner_text("main")
    assert "Since your last scan: 0 new, 0 resolved, 1 not covered" in summary
    assert "Open Port: 8080" in summary
