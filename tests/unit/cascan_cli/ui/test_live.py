"""A live page in a real browser, without a stack."""

from __future__ import annotations

from msgspec.structs import replace
from playwright.sync_api import Route, expect

from cascan.model.scan import ScanState
from tests.support.browser import chromium
from tests.support.builders import SCAN_ID, a_scan
from tests.unit.cascan_cli.ui.conftest import HOST, Site

WITHIN_MS = 20_000  # many times what it takes


def test_a_page_is_live_also_if_the_script_for_it_comes_late(site: Site) -> None:
    """On a busy machine, the page is complete before its last script is there."""
    site.table.create_scan(a_scan(state=ScanState.INIT))
    pages = {f"/scans/{SCAN_ID}": site.get(f"/scans/{SCAN_ID}")}
    for script in ("htmx.min.js", "hx-sse.min.js"):
        pages[f"/static/{script}"] = site.get(f"/static/{script}")
    site.table.scans[SCAN_ID] = replace(site.table.scans[SCAN_ID], state=ScanState.DONE)
    pages[f"/scans/{SCAN_ID}/live"] = site.get(f"/scans/{SCAN_ID}/live")

    late: list[Route] = []

    def answer(route: Route) -> None:
        path = route.request.url.partition(HOST)[2]
        if path.endswith("hx-sse.min.js") and not late:
            late.append(route)
        elif page := pages.get(path):
            route.fulfill(body=page.text, headers={"Content-Type": page.headers["Content-Type"]})
        else:
            route.fulfill(status=404)

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto(f"http://{HOST}/scans/{SCAN_ID}", wait_until="commit")
        page.wait_for_function("window.htmx")
        page.evaluate("new Promise(done => setTimeout(done, 100))")  # behind the timers of scripts that have run
        answer(late[0])
        expect(page.locator("#state")).to_have_text("Done", timeout=WITHIN_MS)
