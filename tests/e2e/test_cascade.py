"""Cascades on loopback: a stored rule is followed, a hostile banner is data, another scanner's scan is an event."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cascan_command import Cascan
from tests.support.cascading import rule_document
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

HOSTILE = "{{$.hostOrIP}} {{#attributes}}x{{/attributes}} $(touch /tmp/cascan-was-here); -oN/tmp/cascan-was-here"
BANNER = rule_document(
    "banner",
    labels={"e2e": "hostile"},
    matches={"expression": "finding.category == 'Open Port' && !has(finding.attributes.scripts)"},
    parameters=["-Pn", "-n", "-p{{attributes.port}}", "--script", "banner", "{{$.hostOrIP}}"],
)
OF_BANNER = [
    rule_document(
        name,
        labels={"e2e": "hostile"},
        matches={"anyOf": [{"name": "Server banner found"}]},
        scanType=scan_type,
        parameters=parameters,
    )
    for name, scan_type, parameters in (
        ("as-target", "nmap", ["-Pn", "-n", "-p1", "{{attributes.banner}}"]),
        ("as-port", "nmap", ["-Pn", "-n", "-p{{attributes.banner}}", "{{$.hostOrIP}}"]),
        ("elsewhere", "nikto", ["-useragent", "{{attributes.banner}}"]),
    )
]


@pytest.fixture
def hostile_port() -> Iterator[int]:
    """A service on loopback that greets with template syntax and shell text."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # a port scan hangs up at once
                    connection.sendall(HOSTILE.encode() + b"\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def apply(cascan: Cascan, *documents: dict[str, Any]) -> None:
    ran = cascan("apply", "-f", "-", stdin=json.dumps({"kind": "List", "items": list(documents)}))
    assert ran.code == 0, ran.err


def tree_of(cascan: Cascan, scan_id: str) -> dict[str, Any]:
    """The scan's cascade, when all of its scans have ended."""

    def ended() -> dict[str, Any] | None:
        tree: dict[str, Any] = cascan("tree", scan_id, "--json").json
        return tree if all(scan["state"] in ("Done", "requested elsewhere") for scan in _scans(tree)) else None

    tree = eventually(ended, timeout_s=250)
    assert tree
    return tree


def _scans(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", ()):
        yield from _scans(child)


def test_a_hostile_banner_is_data_on_its_whole_way(cascan: Cascan, hostile_port: int) -> None:
    apply(cascan, BANNER, *OF_BANNER)
    request = {
        "name": "hostile",
        "targets": ["127.0.0.1"],
        "parameters": ["-Pn", "-n", "-p", str(hostile_port)],
        "cascades": {"matchLabels": {"e2e": "hostile"}},
    }
    ran = cascan("submit", "-f", "-", "--json", stdin=json.dumps(request))
    assert ran.code == 0, ran.err
    tree = tree_of(cascan, ran.json["scan"]["id"])

    (banner,) = tree["children"]
    assert (banner["rule"], banner["targets"]) == ("banner", 1)
    (elsewhere,) = banner["children"]
    assert (elsewhere["rule"], elsewhere["state"]) == ("elsewhere", "requested elsewhere")
    option, text = elsewhere["parameters"]
    assert option == "-useragent"
    assert text.startswith("{{$.hostOrIP}} {{#attributes}}x")
    refused = {line["rule"]: line["reason"] for line in banner["notFollowed"] if line["decision"] == "refused"}
    assert set(refused) == {"as-target", "as-port"}
    assert all("is not a plain word" in reason for reason in refused.values())
    assert not Path("/tmp/cascan-was-here").exists()

    rehearsed = cascan("rules test", "as-target", "--scan", banner["id"], "--json").json
    assert (rehearsed["children"], rehearsed["summary"]["refused"]) == ([], 1)


def test_rules_are_listed_shown_and_deleted(cascan: Cascan) -> None:
    apply(cascan, rule_document("mine"), rule_document("nmap-http"))
    listed = {rule["name"]: rule["source"] for rule in cascan("rules list", "--json").json}
    assert listed["mine"] == "version 1"
    assert listed["nmap-http"] == "version 1"
    assert listed["nmap-smb"] == "bundled, disabled"
    shown = cascan("rules show", "mine")
    assert shown.code == 0
    assert b"kind: CascadingRule" in shown.out
    assert cascan("rules delete", "mine").code == 0
    assert b"the bundled rule is in force again" in cascan("rules delete", "nmap-http").out
    again = cascan("rules delete", "mine")
    assert (again.code, "no rule 'mine' is stored" in again.err) == (2, True)


def test_nothing_is_applied_when_one_manifest_is_refused(cascan: Cascan) -> None:
    documents = [rule_document("good"), rule_document("bad", parameters=["{{"]), {"kind": "Deployment"}]
    ran = cascan("apply", "-f", "-", stdin=json.dumps({"kind": "List", "items": documents}))
    assert ran.code == 2
    assert "bad: spec.scanSpec.parameters[0]" in ran.err
    assert "'Deployment' cannot be applied" in ran.err
    assert "good" not in [rule["name"] for rule in cascan("rules list", "--json").json]
