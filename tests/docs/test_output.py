"""docs/output.md says what the commands print as JSON: every command, every field, every type."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from cascan.cascades.bundled_rules import FOLDER
from cascan.cascades.decision import DecisionKind
from cascan.events.message import VERSION
from cascan.model.finding import Severity
from cascan.model.inventory import ChangeKind
from cascan.model.refusal import Rule
from cascan.model.scan import ScanState
from cascan.model.shard import Lane
from cascan.nmap.options.table import Decision
from cascan.nmap.scripts.judge_scripts import Verdict
from cascan_cli.doctor.check import Status
from cascan_cli.main import main
from cascan_cli.parser.build_parser import build_parser
from tests.data.reports import FOLDER as REPORTS
from tests.docs.a_stack import KEY, SCHEDULE, Stack, stack
from tests.docs.output_shapes import DOCUMENT, SHAPE, fields_in, printed, problems, shapes
from tests.support.builders import SCAN_ID
from tests.support.cascading import rule_document

__all__ = ["stack"]
MANIFEST = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "Scan",
    "metadata": {"name": "lan", "annotations": {"cascan/idempotency-key": KEY}},
    "spec": {"scanType": "nmap", "parameters": ["-sV", "10.0.0.1"], "cascades": {}, "env": [{"name": "a"}]},
}
VULS = """
[servers.web]
host = "10.0.0.5"
[servers.web.portscan]
scannerBinPath = "nmap"
"""
SEVERITY = {
    "rules": [
        {"name": "ports", "matches": {"anyOf": [{"category": "Open Port"}]}, "override": {"severity": "low"}},
        {"name": "never", "matches": {"anyOf": [{"category": "None"}]}, "suppress": "known"},
    ]
}
EXPOSURE = """
groups:
  lan: {owner: lan@example.com, hosts: [10.0.0.0/24]}
expected:
  - {who: lan, ports: [1], until: 2099-01-01, why: a test}
  - {who: 10.0.0.250, ports: [22]}
"""
FILES = {
    "exposure.yaml": EXPOSURE,
    "channels.yaml": "channels: {mail: {topic: true}}\n",
    "older.yaml": EXPOSURE.replace("a test", "before"),
    "request.json": json.dumps({"targets": ["10.0.0.1"], "idempotencyKey": KEY}),
    "several.yaml": yaml.safe_dump_all([MANIFEST, rule_document("second")]),
    "apply.yaml": yaml.safe_dump_all([MANIFEST, rule_document("second"), SCHEDULE]),
    "scan.yaml": yaml.safe_dump(MANIFEST),
    "weekly.sql": "SELECT f.severity, count(*) FROM findings f, inventory, exposures, scans GROUP BY 1",
    "config.toml": VULS,
    "severity.yaml": yaml.safe_dump(SEVERITY),
}
COMMANDS = {  # as the document calls them → what is typed
    "cascan scan": ["scan 10.0.0.1"],
    "cascan scan --no-wait": ["scan --no-wait 10.0.0.1"],
    "cascan submit": ["submit -f request.json"],
    "cascan submit --no-wait": ["submit -f request.json --no-wait"],
    "cascan scans": ["scans"],
    "cascan cancel": ["cancel RUNNING"],
    "cascan wait": ["wait SCANNED"],
    "cascan watch": ["watch SCANNED"],
    "cascan delete": ["delete SCANNED --yes --no-wait"],
    "cascan suspend": ["suspend RUNNING"],
    "cascan resume": ["resume SUSPENDED"],
    "cascan findings": ["findings SCANNED"],
    "cascan findings --limit": ["findings SCANNED --limit 1", "findings SCANNED --limit 100 --severity low"],
    "cascan show": ["show SCANNED", "show CHILD", "show bbbbbbbbbbbbbbbb"],
    "cascan host": ["host 10.0.0.1", "host 10.0.0.3"],
    "cascan explain": ["explain FINDING --scan SCANNED", "explain PORT --scan SCANNED"],
    "cascan findings --now": ["findings --now"],
    "cascan search": ["search open --port 22", "search db"],
    "cascan report": ["report SCANNED"],
    "cascan diff": ["diff SCANNED --all"],
    "cascan diff --since": ["diff --since 2026-03-01T12:30Z --all"],
    "cascan inventory": ["inventory --all"],
    "cascan reach": ["reach 10.0.0.1"],
    "cascan when": ["when 10.0.0.1 --evidence", "when 52:54:00:12:34:56"],
    "cascan history delete": ["history delete 10.0.0.0/24"],
    "cascan history backfill": ["history backfill SCANNED"],
    "cascan at": ["at now --port 22 --evidence", "at 2026-03-01T12:30Z 10.0.0.1:22 --evidence"],
    "cascan tree": ["tree SCANNED", "tree eeeeeeeeeeeeeeee"],
    "cascan check": ["check 10.0.0.1 10.0.0.2:22 -- -sV -sC", "check 8.8.8.8 db.internal -- -oN x --script nosuch"],
    "cascan check -f": ["check -f several.yaml"],
    "cascan check --vuls": ["check --vuls config.toml"],
    "cascan cost": ["cost 10.0.0.1 -- -sV", "cost 8.8.8.8"],
    "cascan targets": ["targets 10.0.0.0/30"],
    "cascan targets --count": ["targets --count 10.0.0.0/30"],
    "cascan options": ["options"],
    "cascan egress": ["egress 10.0.0.0/8 --deny 10.0.0.1"],
    "cascan apply": ["apply -f apply.yaml"],
    "cascan rules list": ["rules list"],
    "cascan rules show": ["rules show follow"],
    "cascan rules test": [f"rules test -f {FOLDER} --scan-file scan.yaml --findings findings.jsonl"],
    "cascan schedule list": ["schedule list"],
    "cascan schedule show": ["schedule show nightly"],
    "cascan schedule pause": ["schedule pause nightly"],
    "cascan schedule resume": ["schedule resume nightly"],
    "cascan schedule run-now": ["schedule run-now nightly"],
    "cascan schedule delete": ["schedule delete nightly"],
    "cascan severity apply": ["severity apply -f severity.yaml"],
    "cascan severity show": ["severity show"],
    "cascan severity test": ["severity test -f severity.yaml --findings findings.jsonl"],
    "cascan exposure check": ["exposure check"],
    "cascan exposure plan": [
        "exposure plan",
        "exposure plan --against older.yaml",
        "exposure plan --against older.yaml",
    ],
    "cascan exposure show": ["exposure show"],
    "cascan vantage add": ["vantage add office --connect-queue https://sqs.test/office --network 10.0.0.0/8"],
    "cascan vantage list": ["vantage list"],
    "cascan vantage remove": ["vantage remove house"],
    "cascan network add": ["network add 10.0.3.0/24 --identity mac"],
    "cascan network list": ["network list"],
    "cascan network remove": ["network remove 10.9.0.0/16"],
    "cascan halt": ["halt", "halt --lift"],
    "cascan rebuild": ["rebuild --yes"],
    "cascan migrate": ["migrate"],
    "cascan reparse": ["reparse SCANNED"],
    "cascan doctor": ["doctor --state-dir state"],
    "cascan query": ["query -f weekly.sql"],
    "cascan redrive list": ["redrive list"],
    "cascan redrive show": ["redrive show PARKED"],
    "cascan redrive send": ["redrive send ControlDLQ"],
    "cascan redrive drop": ["redrive drop PARKED --yes"],
    "cascan local status": ["local status --state-dir state"],
}
# local up prints what local status does, and tests/e2e runs it; test_live.py of the command runs doctor --live
# test_vuls_scan.py of the command compares what `vuls scan` prints
# test_exposures.py of the command runs those of exposures; test_messages_command.py and test_mutes_command.py those of
# messages
BY_OTHERS = {
    "cascan local up",
    "cascan doctor --live",
    "cascan vuls scan",
    *(f"cascan exposure {action}" for action in ("apply", "list", "ack", "accept", "reopen")),
    "cascan why",
    *(f"cascan messages {action}" for action in ("set", "show", "list", "retry", "test", "mute", "unmute", "mutes")),
}
MESSAGE_SHAPES = {"stored channels", "channel", "message on its way", "tested channels", "mute"}
EXPOSURE_SHAPES = {"applied exposure file", "exposure move", "exposure", "explained exposure"}
VULS_SHAPES = {
    "answered results",
    "answered server",
    "listening process",
    "listener",
    "unknown address",
    "reachable package",
    "answering CVE",
}
SEEN_ELSEWHERE = (
    VULS_SHAPES
    | EXPOSURE_SHAPES
    | MESSAGE_SHAPES
    | {
        "live check line",
        "local stack",
        "reported host",
    }
)  # no stack runs here; read prints hosts by the line
LINES = {"findings": "[finding](#finding)", "hosts": "[reported host](#reported-host)"}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The files that commands are given, in the folder that they are run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # no policy of this machine's own stack
    for name, text in FILES.items():
        Path(name).write_text(text)
    assert main(["read", str(REPORTS / "scripts.xml")]) == 0
    Path("findings.jsonl").write_text(capsys.readouterr().out)


def outputs_of(lines: list[str], stack: Stack, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    for line in lines:
        names = {"RUNNING": SCAN_ID, "SUSPENDED": SCAN_ID, "SCANNED": stack.scanned, "CHILD": stack.child}
        names |= {"PORT": stack.port_22, "FINDING": stack.script_finding}
        if "redrive" in line:
            names["PARKED"] = stack.queue("ControlDLQ").put('{"action": "cancel"}', {"reason": "no scan"})
        words = [names.get(word, word) for word in line.split()]
        if "SUSPENDED" in line:
            assert main(["suspend", SCAN_ID]) == 0
        capsys.readouterr()
        cut = words.index("--") if "--" in words else len(words)
        main([*words[:cut], "--json", *words[cut:]])
        out, said = capsys.readouterr()
        assert out, said
        yield json.loads(out)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_what_the_document_says(
    command: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = printed()[command]
    for value in outputs_of(COMMANDS[command], stack, capsys):
        assert list(problems(value, kind)) == [], "describe it in docs/output.md"


@pytest.mark.parametrize("form", LINES)
def test_read_prints_a_line_as_the_document_says(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--as", form, str(REPORTS / "scripts.xml")]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert list(problems(json.loads(line), LINES[form])) == []


def test_each_field_of_the_document_is_printed_by_a_command(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    seen = {
        field
        for command, lines in COMMANDS.items()
        if command != "cascan cancel"  # after it there is nothing to suspend
        for value in outputs_of(lines, stack, capsys)
        for field in fields_in(value, printed()[command])
    }
    described = {(name, field) for name, shape in shapes().items() for field in shape}
    assert {(name, field) for name, field in described - seen if name not in SEEN_ELSEWHERE} == set()


def commands_with_json(above: ArgumentParser) -> Iterator[str]:
    for action in above._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from commands_with_json(below)
    if "--json" in above._option_string_actions:
        yield above.prog


def test_each_command_with_json_is_in_the_document_and_run_here() -> None:
    commands = set(commands_with_json(build_parser()))
    described = {name for name in printed() if name in commands}
    assert commands == described
    assert {name for name, kind in printed().items() if kind != "nothing"} - BY_OTHERS == set(COMMANDS)


def test_each_shape_that_is_referred_to_exists() -> None:
    assert set(SHAPE.findall(DOCUMENT.read_text().split("## The shapes")[1])) <= set(shapes())
    assert {name for kind in printed().values() for name in SHAPE.findall(kind)} <= set(shapes())


def test_the_version_is_that_of_the_events() -> None:
    assert f"**version {VERSION}**" in DOCUMENT.read_text()


@pytest.mark.parametrize(
    ("shape", "field", "values"),
    [
        ("scan", "state", ScanState),
        ("refusal", "rule", Rule),
        ("finding", "severity", Severity),
        ("change", "kind", ChangeKind),
        ("decision", "decision", DecisionKind),
        ("explanation", "lane", Lane),
        ("decided option", "decision", Decision),
        ("script verdict", "verdict", Verdict),
        ("check result", "status", Status),
    ],
)
def test_a_word_of_a_fixed_list_has_all_of_them_in_the_document(shape: str, field: str, values: type[StrEnum]) -> None:
    section = DOCUMENT.read_text().split(f"\n### {shape}\n")[1].split("\n### ")[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `{field}` |")]
    assert set(re.findall(r"`([^`]+)`", row)[1:]) == {str(value) for value in values}
