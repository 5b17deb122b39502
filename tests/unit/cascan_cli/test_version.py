"""The command says which nmap it runs, and that a deployed stack has another version than itself."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cascan_cli import version
from cascan_cli.local.template import read_template
from cascan_cli.stack import open as open_module
from cascan_cli.stack.open import open_stack
from cascan_cli.version import VERSION, describe_difference, describe_nmap

ROOT = Path(__file__).parents[3]
OUTPUTS = dict.fromkeys(("RequestQueueUrl", "ControlQueueUrl", "ScanTableName", "ReportBucketName"), "x")


def test_the_stack_has_the_version_of_the_command_as_an_output() -> None:
    assert read_template(ROOT / "template.yaml")["Outputs"]["Version"]["Value"] == VERSION


def test_one_version_on_both_sides_is_not_worth_a_sentence() -> None:
    assert describe_difference("prod", VERSION) == ""


@pytest.mark.parametrize(
    ("stack_version", "sentence"),
    [
        ("0.9.12", "stack 'prod' has version 0.9.12, older than this command (0.10.0): deploy this version of cascan"),
        ("0.10", "stack 'prod' has version 0.10, older than this command (0.10.0): deploy this version of cascan"),
        (None, "stack 'prod' is older than this command (0.10.0), because it has no output Version: deploy this"),
        (
            "0.10.1",
            "stack 'prod' has version 0.10.1, newer than this command (0.10.0): update the command",
        ),
        ("2", "stack 'prod' has version 2, newer than this command (0.10.0): update the command to cascan 2"),
        ("\x1b[2J", "stack 'prod' has a version that this command (0.10.0) cannot read: deploy this version"),
        ("9" * 10_000, "stack 'prod' has a version that this command (0.10.0) cannot read: deploy this version"),
        ("", "stack 'prod' has a version that this command (0.10.0) cannot read: deploy this version"),
    ],
)
def test_the_sentence_says_which_side_is_older_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, stack_version: str | None, sentence: str
) -> None:
    monkeypatch.setattr(version, "VERSION", "0.10.0")
    assert describe_difference("prod", stack_version).startswith(sentence)


@pytest.mark.parametrize(("outputs", "lines"), [({"Version": VERSION}, 0), ({"Version": "0.0.1"}, 1), ({}, 1)])
def test_a_stack_of_another_version_is_opened_after_one_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str], lines: int
) -> None:
    described = [{"OutputKey": key, "OutputValue": value} for key, value in (OUTPUTS | outputs).items()]
    monkeypatch.setattr(open_module, "describe_stack", lambda _: {"Outputs": described})
    with open_stack(Namespace(stack="prod")) as stack:
        assert stack.outputs["ScanTableName"] == "x"
    output = capsys.readouterr()
    assert (output.out, len(output.err.splitlines())) == ("", lines)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'Nmap version 7.95+dfsg ( https://nmap.org )'", "nmap 7.95+dfsg ({path})"),
        ("printf 'Nmap version \\033[2J ( https://nmap.org )'", "nmap at {path} does not say its version"),
        ("exit 1", "nmap at {path} does not say its version"),
    ],
)
def test_the_nmap_of_this_machine_is_named_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    nmap = tmp_path / "nmap"
    nmap.write_text(f"#!/bin/sh\n{script}\n")
    nmap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert describe_nmap() == sentence.format(path=nmap)


def test_an_nmap_that_cannot_start_or_is_missing_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_nmap() == "nmap is not installed"
    (tmp_path / "nmap").write_bytes(b"\x7fELF")
    (tmp_path / "nmap").chmod(0o755)
    assert describe_nmap() == f"nmap at {tmp_path / 'nmap'} does not start"
