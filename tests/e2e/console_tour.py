"""A tour through the console in a real browser, for its test and for pictures of its steps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from cascan_cli.ui.console import NAVIGATION
from tests.e2e.cascan_command import ROOT

WAIT_MS = 60_000  # of a slow machine; each wait ends as soon as it can
ADDRESS = "127.128.0.82"  # used by no other test
EXPECTED = """
settings: {confirm: false}
expected:  # whatever the other tests have opened
  - {who: 127.0.0.0/9, ports: [1-65535], required: false}
  - {who: "::1", ports: [1-65535], required: false}
"""
PAGES = tuple(place for place, _ in NAVIGATION)


@contextmanager
def console(state_dir: Path) -> Iterator[str]:
    """The link of a console over the stack of the state directory."""
    command = [sys.executable, "-m", "cascan_cli.main", "ui", "--no-browser", "--state-dir", str(state_dir)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as serving:
        assert serving.stdout
        try:
            yield serving.stdout.readline().strip()
        finally:
            serving.send_signal(signal.SIGINT)
            assert serving.wait(60) == 0


@contextmanager
def listener() -> Iterator[int]:
    """A port of the address that is open for the length of the block."""
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        server.listen()
        yield server.getsockname()[1]


@dataclass
class Tour:
    """`show`: called with the name of each step, once the page shows it."""

    page: Page
    show: Callable[[str], None] = lambda _: None
    problems: list[str] = field(default_factory=list)  # what the browser reports as errors, such as a broken policy

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def enter(self, link: str) -> None:
        self.page.goto(link)
        expect(self.page.get_by_role("heading", name="Overview")).to_be_visible()
        assert "token" not in self.page.url

    def go(self, name: str) -> None:
        """By the navigation."""
        self.page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name, exact=True).click()

    def scan(self, port: int) -> str:
        """Submit a scan of the port and watch it to its end. Returns the id."""
        page = self.page
        self.go("New scan")
        page.get_by_label("Targets").fill(ADDRESS)
        page.get_by_label("Options for nmap").fill(f"-n -Pn -sT -p {port}")
        page.get_by_label("Series").fill("tour")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("heading", name="It would be accepted")).to_be_visible()
        self.show("request explained")
        page.get_by_role("button", name="Send the request").click()
        page.wait_for_url("**/scans/*")
        expect(page.get_by_role("status").filter(has_text="was requested")).to_be_visible()
        self.show("scan requested")
        expect(page.locator("#state")).to_have_text("Done", timeout=WAIT_MS)
        expect(page.locator("[hx-sse\\:connect]")).to_have_count(0)  # the page stands still now
        self.show("scan done")
        return page.url.rsplit("/", 1)[1]

    def find(self, port: int) -> None:
        """Filter the findings by the port, and open the host."""
        page = self.page
        self.go("Findings")
        page.get_by_label("Host").fill(ADDRESS)
        field = page.get_by_label("Port")
        field.press_sequentially(str(port))
        page.wait_for_url(f"**host={ADDRESS}&port={port}&**")  # the list follows what is typed
        expect(page.get_by_role("status")).to_have_text("1 row.")
        expect(field).to_be_focused()
        self.show("findings filtered")
        self.page.get_by_role("link", name=ADDRESS).first.click()
        expect(self.page.get_by_role("heading", name=f"Host {ADDRESS}")).to_be_visible()
        expect(self.page.get_by_role("cell", name=f"tcp/{port}").first).to_be_visible()
        self.show("host")

    def acknowledge(self) -> None:
        """The exposure of the address, once it is judged."""
        page = self.page
        self.go("Exposures")
        page.get_by_label("Host").fill(ADDRESS)
        page.get_by_role("button", name="Filter").click()
        row = page.get_by_role("row").filter(has_text=ADDRESS)
        for _ in range(100):  # a report is judged a moment after its scan is done
            if row.count():
                break
            page.wait_for_timeout(200)
            page.reload()
        self.show("exposures")
        row.get_by_role("link").first.click()
        page.get_by_label("Somebody knows of it").fill("the tour")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("#state")).to_have_text("acknowledged")
        self.show("exposure acknowledged")

    def see_change(self, port: int) -> None:
        """What closed, in the list of changes."""
        self.go("Changes")
        self.page.get_by_label("Host").fill(ADDRESS)
        self.page.get_by_role("button", name="Filter").click()
        row = self.page.get_by_role("row").filter(has_text=f"tcp/{port}").filter(has_text="PortClosed")
        expect(row).to_have_count(1)
        self.show("change")

    def export(self) -> Any:
        """The rows of the page, as the file that the browser stores."""
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Export as JSON", exact=True).click()
        return download.value.path().read_text()
