"""Pictures of the console, a step after the other, from a tour in a real browser over a stack of its own.

    python -m tests.docs.console_pictures FOLDER

Not a test: the test of the same tour is tests/e2e/test_console.py.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from tests.e2e.cascan_command import Cascan, stack_up
from tests.e2e.console_tour import ADDRESS, EXPECTED, PAGES, Tour, console, listener
from tests.support.browser import chromium

SIZE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)


class Album:
    """Takes a picture of the page at each step, numbered in their order."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page, self._folder, self._taken = page, folder, 0

    def take(self, name: str) -> None:
        self._taken += 1
        file = self._folder / f"{self._taken:02}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.png"
        self._page.screenshot(path=file, full_page=True)
        print(file)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, stack_up(Cascan(Path(state))) as cascan:
        file = Path(state, "exposure.yaml")
        file.write_text(EXPECTED)
        assert cascan("exposure apply", str(file)).code == 0
        with console(cascan.state_dir) as link, chromium() as browser:
            page = browser.new_page(viewport=SIZE)
            album = Album(page, folder)
            tour = Tour(page, album.take)
            tour.enter(link)
            with listener() as port:
                tour.scan(port)
                tour.find(port)
                tour.acknowledge()
            tour.scan(port)
            tour.see_change(port)
            take_each_page(page, link, album)


def take_each_page(page: Page, link: str, album: Album) -> None:
    """All pages as they are; some of them dark, and one as a phone shows it."""
    site = link.partition("/?")[0]
    for place in PAGES:
        page.goto(site + place)
        album.take(f"page {place}")
    page.emulate_media(color_scheme="dark")
    for place in ("/", f"/hosts/{ADDRESS}"):
        page.goto(site + place)
        album.take(f"dark {place}")
    page.set_viewport_size(PHONE)
    album.take("phone")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.docs.console_pictures FOLDER")
    main(Path(sys.argv[1]))
