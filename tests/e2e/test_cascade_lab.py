"""One discovery scan of the lab leads to the follow-ups that fit its four hosts, and to nothing else; and it ends.

The whole stack runs inside the lab's network, where there is no way to anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cascan.cascades.bundled_rules import FOLDER
from tests.e2e.cascan_command import Cascan, stack_up
from tests.lab import Lab
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ENDED = {"Done", "Errored", "Cancelled", "requested elsewhere"}
HOSTS = ("web", "tls", "ssh", "files")
OPEN = "21,22,80,443,445"
LOOP = {
    "apiVersion": "cascading.securecodebox.io/v1",
    "kind": "CascadingRule",
    "metadata": {"name": "loop", "labels": {"loop": "yes"}},
    "spec": {
        "matches": {"anyOf": [{"category": "Open Port", "attributes": {"state": "open"}}]},
        "scanSpec": {"scanType": "nmap", "parameters": ["-Pn", "-n", "-p{{attributes.port}}", "{{$.hostOrIP}}"]},
    },
}


@dataclass(frozen=True)
class InsideTheLab(Cascan):
    """The command on the lab's scanner."""

    lab: Lab = field(kw_only=True)

    def network(self) -> Path:
        return self.lab.network


@pytest.fixture(scope="module")
def cascan(network_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cascan]:
    with stack_up(
        InsideTheLab(tmp_path_factory.mktemp("stack"), lab=network_lab), "--allow", "192.0.2.0/24"
    ) as command:
        yield command


def submit(cascan: Cascan, lab: Lab, name: str, cascades: Mapping[str, Any], ports: str = OPEN) -> dict[str, Any]:
    """The cascade of a discovery scan of the four hosts, when all of it has ended."""
    request = {
        "name": name,
        "targets": [lab.address(host) for host in HOSTS],
        "parameters": ["-Pn", "-n", "-sV", "-p", ports],
        "cascades": cascades,
    }
    ran = cascan("submit", "-f", "-", "--json", stdin=json.dumps(request))
    assert ran.code == 0, ran.err
    scan_id = ran.json["scan"]["id"]

    def tree() -> dict[str, Any] | None:
        found: dict[str, Any] = cascan("tree", scan_id, "--json").json
        return found if all(scan["state"] in ENDED for scan in scans_in(found)) else None

    found = eventually(tree, timeout_s=200)
    assert found
    return found


def scans_in(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", ()):
        yield from scans_in(child)


def asked(cascan: Cascan, scan_id: str) -> set[tuple[str, int]]:
    """Address and port of the open ports that a scan found."""
    return {
        (finding["attributes"]["ip_addresses"][0], finding["attributes"]["port"])
        for finding in cascan("findings", scan_id, "--json").json
        if finding["category"] == "Open Port"
    }


def test_four_hosts_lead_to_the_right_follow_ups_and_to_nothing_else(cascan: Cascan, network_lab: Lab) -> None:
    assert cascan("apply", "-f", str(FOLDER)).code == 0
    tree = submit(cascan, network_lab, "discovery", {"matchLabels": {"securecodebox.io/intensive": "light"}})
    address = network_lab.address
    found = {(child["rule"], *port) for child in tree["children"] if child["id"] for port in asked(cascan, child["id"])}
    assert found == {
        ("nmap-http", address("web"), 80),
        ("nmap-http", address("tls"), 443),
        ("nmap-tls-certificate", address("tls"), 443),
        ("nmap-ssh-algorithms", address("ssh"), 22),
        ("nmap-ftp-anonymous", address("files"), 21),
        ("nmap-smb", address("files"), 445),
        ("nmap-smb-security", address("files"), 445),
    }
    assert {scan["state"] for scan in scans_in(tree)} == {"Done"}
    assert [below for child in tree["children"] for below in child["children"]] == []  # all of it was asked for already


def test_a_rule_that_matches_its_own_output_ends(cascan: Cascan, network_lab: Lab) -> None:
    assert cascan("apply", "-f", "-", stdin=json.dumps(LOOP)).code == 0
    tree = submit(cascan, network_lab, "looping", {"matchLabels": {"loop": "yes"}}, ports="80")
    (child,) = tree["children"]
    assert child["state"] == "Done"
    assert [line["decision"] for line in child["notFollowed"]] == ["loop"]
