"""The rules that come with cascan: each is proven against a server in the lab, and told in docs/cascades.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.rule import read_rule

ROOT = Path(__file__).parents[4]
PROOFS = [ROOT / "tests" / "e2e" / name for name in ("test_bundled_rules.py", "test_cascade_lab.py")]
OF_SECURE_CODE_BOX = {"nmap-hostscan", "nmap-smb"}  # to the letter: rows N14 and N15
NAMED = re.compile(r'"(nmap-[a-z-]+)"')


def test_every_bundled_rule_is_proven_in_the_lab() -> None:
    proven = {rule for proof in PROOFS for rule in NAMED.findall(proof.read_text()) if rule != "nmap-privileged"}
    assert set(read_bundled_rules()) == proven


def test_every_bundled_rule_is_told_in_the_documentation() -> None:
    table = [line for line in (ROOT / "docs" / "cascades.md").read_text().splitlines() if line.startswith("| `nmap-")]
    told = [rule for line in table for rule in re.findall(r"`(nmap-[a-z-]+)`", line.split("|")[1])]
    assert sorted(told) == sorted(read_bundled_rules())


@pytest.mark.parametrize("name", sorted(read_bundled_rules()))
def test_a_bundled_rule_is_labelled_and_asks_for_no_names_that_nobody_needs(name: str) -> None:
    rule = read_rule(read_bundled_rules()[name])
    assert {"securecodebox.io/invasive", "securecodebox.io/intensive"} <= rule.labels.keys()
    assert ("-n" in rule.scan_spec.parameters) is (name not in OF_SECURE_CODE_BOX)
