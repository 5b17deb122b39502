"""docs/security.md names a test for each control, and each of these tests exists."""

from __future__ import annotations

import re

from tests.docs.shown_commands import ROOT

NAMED = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text()))


def test_the_threat_model_names_tests() -> None:
    assert len(NAMED) >= 10


def test_each_test_that_the_threat_model_names_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^ *def (test_\w+)\(", sources, re.MULTILINE))

    assert NAMED - defined == set()
