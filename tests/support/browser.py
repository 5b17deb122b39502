"""A real browser for tests of pages: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START_TIMEOUT_MS = 120_000


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A browser of the test's own, with these arguments more; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: make test-packages")
    options = [*arguments, "--disable-dev-shm-usage"]  # a container may have little of that
    if os.getuid() == 0:
        options.append("--no-sandbox")  # which refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options, timeout=START_TIMEOUT_MS)
        try:
            yield browser
        finally:
            browser.close()
