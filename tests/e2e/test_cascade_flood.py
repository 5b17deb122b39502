"""10,000 matching findings of one scan on the emulator: few children, within the caps, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from cascan.limits import CHILD_PARTS, MAX_CASCADE_FAN_OUT, MAX_CASCADE_PROBES
from tests.e2e.cascan_command import ROOT, Cascan
from tests.e2e.flood import ADDRESSES, FLOOD, LABEL, PORTS
from tests.support.cascading import rule_document
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
MATCHES = {"anyOf": [{"category": "Open Port", "attributes": {"flood": True}}]}
RULES = [  # they are followed in the order of their names
    rule_document(
        "flood-1-ports",
        labels=LABEL,
        matches=MATCHES,
        parameters=["-Pn", "-n", "-p{{attributes.port}}", "{{$.hostOrIP}}"],
    ),
    rule_document(
        "flood-2-wide",  # its scans are over at once
        labels=LABEL,
        matches=MATCHES,
        parameters=["-Pn", "-n", "-p-", "--host-timeout", "100ms", "{{$.hostOrIP}}"],
    ),
    rule_document(
        "flood-3-elsewhere", labels=LABEL, matches=MATCHES, scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"]
    ),
]


def flood(cascan: Cascan) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.e2e.flood", str(cascan.state_dir)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_a_flood_of_findings_becomes_few_scans_and_its_caps_are_told(cascan: Cascan) -> None:
    assert FLOOD == 10_000
    applied = cascan("apply", "-f", "-", stdin=json.dumps({"kind": "List", "items": RULES}))
    assert applied.code == 0, applied.err
    scan_id = flood(cascan)

    def ended() -> dict[str, Any] | None:
        tree: dict[str, Any] = cascan("tree", scan_id, "--json").json
        states = {tree["state"], *(child["state"] for child in tree["children"])}
        return tree if tree["children"] and states <= {"Done", "requested elsewhere"} else None

    tree = eventually(ended, timeout_s=250)
    assert tree

    ours = [child for child in tree["children"] if child["id"]]
    (ports,) = [child for child in ours if child["rule"] == "flood-1-ports"]
    assert (ports["targets"], ports["matchedFindings"]) == (len(ADDRESSES), FLOOD)
    assert ports["parameters"][-1] == "-p" + ",".join(map(str, PORTS))
    assert [child["children"] for child in ours] == [[]] * len(ours)
    wide = [child["targets"] for child in ours if child is not ports]
    assert {child["rule"] for child in ours if child is not ports} == {"flood-2-wide"}
    assert sum(wide) == MAX_CASCADE_PROBES // CHILD_PARTS // 65_535 * CHILD_PARTS  # what fits of the budget
    elsewhere = Counter(child["rule"] for child in tree["children"] if not child["id"])
    assert elsewhere == {"flood-3-elsewhere": MAX_CASCADE_FAN_OUT - len(ours)}

    scans = cascan("scans", "--limit", "1000", "--json").json
    assert sorted(scan["id"] for scan in scans if "flood" in scan["name"]) == sorted(
        [scan_id, *(child["id"] for child in ours)]
    )

    capped = Counter((line["rule"], line["cap"]) for line in tree["notFollowed"] if line["decision"] == "capped")
    assert capped == {
        ("flood-2-wide", "probes"): 1,
        ("flood-3-elsewhere", "fan-out"): 1,
    }
    lines = cascan("tree", scan_id).out.decode()
    too_many = (len(ADDRESSES) - sum(wide)) * len(PORTS)
    assert f"flood-2-wide: capped (probes), {too_many} findings: the cascade of one root scan has at most" in lines
    too_many = (len(ADDRESSES) + len(ours) - MAX_CASCADE_FAN_OUT) * len(PORTS)
    assert f"flood-3-elsewhere: capped (fan-out), {too_many} findings: one scan has at most" in lines
