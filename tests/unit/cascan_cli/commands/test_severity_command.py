"""`cascan severity`: rules from files, findings from files, and a stack's table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from cascan.findings import build_findings
from cascan.rules.severity import StoredRules
from cascan.rules.severity_form import read_severity_rules
from cascan_cli.commands import severity
from cascan_cli.errors import BadInput
from cascan_cli.input.rules_file import read_rules
from cascan_cli.main import main
from tests.data.reports import hosts
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.support.builders import NOW, SCAN_ID

RULES = """\
# ours
rules:
  - {name: ports, matches: {anyOf: [{category: Open Port}]}, override: {severity: low}}
  - {name: host, matches: {anyOf: [{category: Host}]}, suppress: known to us}
  - {name: never, matches: {anyOf: [{category: No Such}]}, accept: {until: 2020-01-01, reason: long ago}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def findings(tmp_path: Path) -> Path:
    path = tmp_path / "findings.json"
    path.write_bytes(msgspec.json.encode(list(build_findings(hosts("connect")[0], SCAN_ID, NOW))))
    return path


@pytest.fixture
def house() -> MemoryOperatorRecords:
    return MemoryOperatorRecords()


@pytest.fixture
def table(house: MemoryOperatorRecords, monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, operator_records=house)

    monkeypatch.setattr(severity, "open_stack", access)
    return table


def test_test_says_what_a_file_would_make_of_findings_and_which_rule_fits_none(
    file: Path, findings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["severity", "test", "-f", str(file), "--findings", str(findings)]) == 0
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[:2] for row in rows] == [["INFORMATIONAL", "LOW"]] * 3 + [["INFORMATIONAL", "(suppressed)"]]
    assert rows[-1][4:] == ["host", "known to us"]
    assert "never matches none of these findings" in err
    assert "1 (suppressed), 1 INFORMATIONAL, 3 LOW" in err


def test_test_reads_findings_line_by_line_too_and_judges_judged_ones_anew(
    file: Path, findings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["severity", "test", "-f", str(file), "--findings", str(findings), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["unused"], first["severities"]) == (["never"], {"LOW": 3, "INFORMATIONAL": 1, "(suppressed)": 1})
    findings.write_text("\n".join(json.dumps(finding) for finding in first["findings"]) + "\n")
    assert main(["severity", "test", "-f", str(file), "--findings", str(findings), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == first["findings"]


def test_test_says_that_an_acceptance_has_passed(
    tmp_path: Path, findings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("rules: [{matches: {anyOf: [{category: Host}]}, accept: {until: 2020-01-01, reason: x}}]")
    assert main(["severity", "test", "-f", str(path), "--findings", str(findings)]) == 0
    assert "accepted until 2020-01-01, which had passed" in capsys.readouterr().out


def test_apply_stores_the_file_as_the_next_version_and_show_prints_it(
    file: Path, table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["severity", "show"]) == 0
    assert "there are no severity rules" in capsys.readouterr().err
    assert main(["severity", "apply", "-f", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("version 1: 3 rules")
    assert "never accepts findings until 2020-01-01, which has passed" in err
    assert main(["severity", "apply", "-f", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 2, "rules": 3}
    assert main(["severity", "show"]) == 0
    assert capsys.readouterr().out == RULES
    assert main(["severity", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"][0]["any_of"] == [{"category": "Open Port"}]
    assert table.severity_rules() is not None


def test_applied_rules_are_backed_up_and_valid_even_if_the_backup_fails(
    file: Path, table: MemoryScanTable, house: MemoryOperatorRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["severity", "apply", "-f", str(file)]) == 0
    assert list(house.names("")) == ["severity.json"]
    house.down = True
    assert main(["severity", "apply", "-f", str(file)]) == 0
    assert "not backed up for a rebuild of the table" in capsys.readouterr().err
    stored = table.severity_rules()
    assert stored
    assert stored.version == 2


def test_a_file_with_problems_changes_nothing_and_tells_them_all(
    tmp_path: Path, table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("rules: [{matches: {anyOf: [{}]}, supress: x}, {matches: {anyOf: [{name: x}]}}]")
    assert main(["severity", "apply", "-f", str(path)]) == 2
    err = capsys.readouterr().err
    assert "rules[0].supress is not a field here; did you mean suppress?" in err
    assert "rules[1] has no effect" in err
    assert table.severity_rules() is None


def test_two_people_who_apply_at_once_get_an_error(
    file: Path, table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = StoredRules(version=1, applied_at=NOW, text="", rules=read_severity_rules("rules: []"))
    read = table.severity_rules

    def read_then_overtaken() -> StoredRules | None:
        before = read()
        table.rules_on_findings = theirs
        return before

    monkeypatch.setattr(table, "severity_rules", read_then_overtaken)
    assert main(["severity", "apply", "-f", str(file)]) == 3
    assert "other rules were applied" in capsys.readouterr().err
    assert table.rules_on_findings == theirs


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[{]", "invalid JSON"),
        (b"no findings\n", "findings are a JSON array of objects"),
        (b"[1]", "findings are a JSON array of objects"),
        (b"\xff\xfe", "invalid JSON"),
        (b'{"id": 1}\n{"id": 2\n', "invalid JSON"),
        (b'{"name": "a"}\n{"severity": "dire"}\n', "finding-2 is not a valid finding: Invalid enum value 'dire'"),
    ],
)
def test_a_file_without_findings_is_refused(
    content: bytes, why: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    assert main(["severity", "test", "-f", str(file), "--findings", str(path)]) == 2
    assert why in capsys.readouterr().err


def test_findings_may_be_secure_code_boxs(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "findings.json"
    attributes = {"port": 23, "state": "open"}
    found = {"name": "Open Port: 23", "description": None, "category": "Open Port", "severity": "INFORMATIONAL"}
    path.write_text(json.dumps([found | {"attributes": attributes, "parsed_at": "2026-03-01T00:00:00.000Z"}], indent=1))
    (tmp_path / "rules.yaml").write_text(
        "rules: [{matches: {anyOf: [{attributes: {port: 23}}]}, override: {severity: high}}]"
    )
    words = ["-f", str(tmp_path / "rules.yaml"), "--findings", str(path), "--json"]
    assert main(["severity", "test", *words]) == 0
    assert json.loads(capsys.readouterr().out)["severities"] == {"HIGH": 1}


def test_a_missing_file_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["severity", "test", "-f", str(file), "--findings", "/no/such"]) == 2
    assert main(["severity", "test", "-f", "/no/such", "--findings", str(file)]) == 2
    assert capsys.readouterr().err.count("No such file") == 2


def test_another_command_reads_the_rules_of_a_file_or_tells_every_problem(file: Path, tmp_path: Path) -> None:
    assert [rule.name for rule in read_rules(str(file))] == ["ports", "host", "never"]
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules: [{matches: {anyOf: [{}]}}]")
    with pytest.raises(BadInput, match=r"would match every finding.*; rules\[0\] has no effect"):
        read_rules(str(bad))


def test_c5_a_stream_of_rules_and_a_stream_of_findings_are_read_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, findings = tmp_path / "rules.yaml", tmp_path / "findings.yaml"
    more = "---\nrules: [{name: more, matches: {anyOf: [{category: Host}]}, override: {ticket: 1}}]\n"
    rules.write_text(RULES + more)
    for text in (
        '{"category": "Host"}\n---\n[{"category": "Open Port"}]\n---\n{"category": "Host"}\n',
        "--- {category: Host}\n--- [{category: Open Port}]\n---\nfindings: [{category: Host}]\n",
        '[{"category": "Host"},\n {"category": "Open Port"}]\n---\n- category: Host\n',
    ):
        findings.write_text(text)
        assert main(["severity", "test", "-f", str(rules), "--findings", str(findings), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        names = [finding["attributes"]["severity_rules"] for finding in said["findings"]]
        assert names == [["host", "more"], ["ports"], ["host", "more"]]
        assert [finding.get("ticket") for finding in said["findings"]] == [1, None, 1]
