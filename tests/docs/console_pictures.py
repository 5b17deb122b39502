"""Take pictures of the console, from a tour in a real browser over a stack of its own.

    python -m tests.docs.console_pictures [NAME …]     pictures.py has the options

Not a test: the test of the same tour is tests/e2e/test_console.py.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from tests.docs.pictures import Album, open_album
from tests.e2e.cascan_command import Cascan, stack_up
from tests.e2e.console_tour import ADDRESS, EXPECTED, PAGES, Tour, console, listener
from tests.support.browser import chromium

SIZE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
DARK = ("/", f"/hosts/{ADDRESS}")
STEPS = (
    "request explained",
    "scan requested",
    "scan done",
    "findings filtered",
    "host",
    "exposures",
    "exposure acknowledged",
    "change",
    *(f"page {place}" for place in PAGES),
    *(f"dark {place}" for place in DARK),
    "phone",
)


@dataclass(frozen=True)
class Camera:
    page: Page
    album: Album

    def take(self, step: str) -> None:
        """A picture of the whole page, if the album wants it."""
        name = name_picture(step)
        if self.album.wants(name):
            self.album.add(f"{name}.png", self.page.screenshot(full_page=True))


def name_picture(step: str) -> str:
    """`page /scans` → `console-page-scans`."""
    return "-".join(["console", *re.findall("[a-z0-9]+", step.lower())])


def main() -> None:
    album = open_album(__doc__, [name_picture(step) for step in STEPS])
    with tempfile.TemporaryDirectory() as state, stack_up(Cascan(Path(state))) as cascan:
        file = Path(state, "exposure.yaml")
        file.write_text(EXPECTED)
        assert cascan("exposure apply", str(file)).code == 0
        with console(cascan.state_dir) as link, chromium() as browser:
            page = browser.new_page(viewport=SIZE)
            camera = Camera(page, album)
            tour = Tour(page, camera.take)
            tour.enter(link)
            with listener() as port:
                tour.scan(port)
                tour.find(port)
                tour.acknowledge()
            tour.scan(port)
            tour.see_change(port)
            take_each_page(link, camera)


def take_each_page(link: str, camera: Camera) -> None:
    """All pages as they are; some of them dark, and one as a phone shows it."""
    page, site = camera.page, link.partition("/?")[0]
    for place in PAGES:
        page.goto(site + place)
        camera.take(f"page {place}")
    page.emulate_media(color_scheme="dark")
    for place in DARK:
        page.goto(site + place)
        camera.take(f"dark {place}")
    page.set_viewport_size(PHONE)
    camera.take("phone")


if __name__ == "__main__":
    main()
