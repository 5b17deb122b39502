"""The command's edge: whatever was typed, and wherever its output goes, a person reads a sentence and gets a code."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascan_cli import version
from cascan_cli.main import main
from cascan_cli.parser.build_parser import FAMILIES, Family, build_parser

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = f"{sys.executable} -m cascan_cli.main options"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"} | environment
    return subprocess.run(["sh", "-c", line], env=ours, capture_output=True, text=True, check=False, cwd=ROOT)


def parsers(above: ArgumentParser) -> Iterator[ArgumentParser]:
    yield above
    for action in above._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("command", list(parsers(build_parser())), ids=lambda command: command.prog)
def test_help_says_what_a_command_does_and_fits_a_terminal_of_80_columns(
    command: ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert command.description
    assert [line for line in command.format_help().splitlines() if len(line) >= 80] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scna"], "there is no command 'scna'; did you mean scan or scans? See: cascan --help"),
        (["zzz"], "there is no command 'zzz'. See: cascan --help"),
        (["schedule", "lsit"], "there is no action 'lsit'; did you mean list? See: cascan schedule --help"),
        (["why"], "the following arguments are required: ID. See: cascan why --help"),
        (["local", "up", "--stack", "x"], "unrecognized arguments: --stack x. See: cascan local up --help"),
    ],
)
def test_invalid_arguments_are_refused_with_a_hint(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr() == ("", f"cascan: {said}\n")


def test_no_word_at_all_prints_the_help_and_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "cascan scan 127.0.0.1" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["options", "targets 10.0.0.0/12", f"read {ROOT / 'tests/data/connect.xml'}"])
def test_a_full_disk_is_a_sentence(command: str) -> None:
    ran = shell(f"{sys.executable} -m cascan_cli.main {command} > /dev/full")
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1)
    assert ran.stderr.startswith("cascan: ")
    assert ran.stderr.endswith("No space left on device\n")


def test_a_reader_that_goes_away_and_a_closed_output_are_no_tracebacks() -> None:
    assert shell(f"{OPTIONS} | true").stderr == ""
    assert shell(f"{sys.executable} -m cascan_cli.main targets 10.0.0.1 | true").stderr == ""
    closed = shell(f"{sys.executable} -m cascan_cli.main targets 10.0.0.1 >&-")
    assert (closed.returncode, closed.stderr) == (0, "")


def test_what_a_terminal_cannot_show_is_escaped() -> None:
    ran = shell(f"{sys.executable} -m cascan_cli.main inventory --help", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "ssh, https \\u2026" in ran.stdout


def test_the_version_is_the_projects_and_beside_it_is_that_of_nmap(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "describe_nmap", lambda: "nmap 7.93 (/usr/bin/nmap)")
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"cascan {project['version']}\nnmap 7.93 (/usr/bin/nmap)\n"


@pytest.mark.parametrize("command", ["--help", "check 127.0.0.1 -- -sV"])
def test_help_and_check_start_without_libraries_that_they_do_not_use(command: str) -> None:
    heavy = {"boto3", "botocore", "aws_lambda_powertools", "cel", "yaml", "rich"}
    heavy |= {"dataclasses", "difflib", "inspect", "socket", "typing_extensions"}  # a fifth of the time of `check`
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['cascan', *{command.split()!r}]\n"
        "try:\n    runpy.run_module('cascan_cli.main', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('imported:', *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "imported:"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            ["diff", "--state", "failed"],
            "--state-dir",
        ),  # an abbreviation once: it deployed a second stack into ./failed
        (["scans", "--al", "10.1.2.3"], ""),
        (["scan", "127.0.0.1", "--excl", "127.0.0.2"], "--exclude"),
        (["scan", "127.0.0.1", "--time-out=5"], "--timeout"),
        (["inventory", "--ports", "22"], "--port"),
    ],
)
def test_an_option_is_never_taken_for_another_and_the_one_that_was_meant_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    error = capsys.readouterr().err
    assert "unrecognized arguments" in error
    assert (f"did you mean {meant}?" in error) is bool(meant)


@pytest.mark.parametrize("command", ["scans", "findings x", "report x", "inventory", "diff", "tree x", "rules list"])
@pytest.mark.parametrize("option", ["--allow=10.1.2.3", "--policy-profile=intrusive"])
def test_a_listing_has_no_option_that_would_change_the_stack(command: str, option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), option])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.module)
def test_a_family_of_commands_names_those_that_its_module_adds(family: Family) -> None:
    """Only the module of the command that runs is imported."""
    for command in family.commands:
        assert [parser.prog for parser in parsers(build_parser(command))][1].startswith(f"cascan {command}")
    mentioned = [command for other in FAMILIES for command in other.commands]
    actions = [action for action in build_parser()._actions if action.dest == "command"]
    assert list(actions[0].choices or ()) == mentioned
