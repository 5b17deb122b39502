"""The commands that documents show: each one exists, what needs no stack runs, what needs an AWS account says so."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import pytest

from cascan_cli.main import main, parse_arguments, split_arguments
from cascan_cli.parser.build_parser import build_parser
from tests.data.reports import FOLDER as REPORTS
from tests.docs.shown_commands import ROOT, Shown, blocks, inline
from tests.docs.test_output import FILES

SHOWN = list(blocks())
CASCAN = sorted({(one.document, command) for one in SHOWN for command in one.commands if command.startswith("cascan ")})
WITHOUT_STACK = ("check", "cost", "targets", "options", "egress", "read", "rules test -f")
NEEDS_AWS = re.compile(r"(^|[\s(])(aws|sam (deploy|package|delete))\s|--stack\b")
MARKED = re.compile(r"#.*\b(AWS account|in AWS)\b")
TARGET = re.compile(r"(?:^|\s)make (?P<target>[a-z-]+)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def words_of(command: str) -> list[str]:
    """Without the file that its output goes to."""
    return shlex.split(command.split(" > ", maxsplit=1)[0])[1:]


def named(pairs: list[tuple[str, str]]) -> list[str]:
    return [f"{document}: {command}" for document, command in pairs]


def test_documents_show_commands() -> None:
    assert len(CASCAN) > 30
    assert len(inline()) > 50


@pytest.mark.parametrize(("document", "command"), CASCAN, ids=named(CASCAN))
def test_a_command_of_a_shell_block_is_one_that_cascan_takes(document: str, command: str) -> None:
    own, _ = split_arguments(words_of(command))
    parse_arguments(own)


RUN = [(where, command) for where, command in CASCAN if command.removeprefix("cascan ").startswith(WITHOUT_STACK)]


@pytest.mark.parametrize(("document", "command"), RUN, ids=named(RUN))
def test_a_command_that_needs_no_stack_runs(
    document: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As it is shown, in a folder with the files that it names. 2: what it shows is a refusal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # no policy of this machine's own stack
    report = (REPORTS / "scripts.xml").read_bytes()
    for name, text in FILES.items():
        Path(name).write_text(text)
    for name in ("scan.xml", "report.xml"):
        Path(name).write_bytes(report)
    Path("functions").symlink_to(ROOT / "functions")
    assert main(["read", "report.xml"]) == 0
    Path("findings.jsonl").write_text(capsys.readouterr().out)
    Path("config.toml").write_text(FILES["config.toml"].replace("web", "web-1") + '[servers.db]\nhost = "10.0.0.6"\n')
    code = main(words_of(command))
    said = capsys.readouterr()
    assert code in (0, 2), said.err
    assert said.out


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.document}: {shown.line[:60]}")
def test_what_needs_an_account_says_so_and_make_has_each_target(shown: Shown) -> None:
    if any(NEEDS_AWS.search(command) for command in shown.commands):
        assert MARKED.search(shown.line) or MARKED.search(shown.block), "say `# needs an AWS account` in the block"
    assert {made["target"] for command in shown.commands for made in TARGET.finditer(command)} <= TARGETS


def parser_of(words: list[str]) -> tuple[ArgumentParser, list[str]]:
    """The parser of the command that the words begin with, and the words behind that."""
    found: ArgumentParser = build_parser()
    while True:
        actions = [action for action in found._actions if isinstance(action, _SubParsersAction)]
        if not actions or not words:
            return found, words
        assert words[0] in actions[0].choices, f"there is no {found.prog} {words[0]}"
        found, words = actions[0].choices[words[0]], words[1:]


@pytest.mark.parametrize(("document", "command"), inline(), ids=named(inline()))
def test_a_command_in_the_text_names_a_command_and_options_that_exist(document: str, command: str) -> None:
    own, _ = split_arguments(command.replace("…", "").split()[1:])
    found, rest = parser_of(own)
    options = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert options <= set(found._option_string_actions)
