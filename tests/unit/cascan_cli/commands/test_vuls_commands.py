"""Vuls' configuration at the command line: explained, or sent, a request for each server."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from cascan_cli.commands import submit
from cascan_cli.main import main

CONFIG = """
[servers.web]
host = "10.0.0.1"
[servers.db]
host = "8.8.8.8"
[servers.db.portscan]
scannerBinPath = "/usr/bin/nmap"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    return str(file)


def test_check_explains_each_server_and_is_accepted_when_all_are(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--json", "--vuls", config]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["accepted"], {name: one["accepted"] for name, one in said["servers"].items()}) == (
        False,
        {"web": True, "db": False},
    )
    assert (said["addresses"], said["shards"]) == (1, 1)
    assert said["refusals"] == said["servers"]["db"]["refusals"] != []
    assert main(["check", "--vuls", config, "web"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-2]) == ("server web", "accepted: 1 address, 1 shard, express lane")


def test_check_tells_what_is_wrong_with_the_file_as_it_tells_of_any_request(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text("[servers.a]\n[servers.b]\n")
    assert main(["check", "--json", "--vuls", config]) == 2
    said = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in said["refusals"]] == ["servers.a.host", "servers.b.host"]


def test_submit_sends_a_request_for_each_server_and_ends_with_the_worst_of_their_codes(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, object]] = []

    class Stack:
        def __enter__(self) -> Stack:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def follow(body: str, stack: object, args: Namespace) -> int:
        sent.append(json.loads(body))
        return {"web": 0, "db": 1}[str(sent[-1]["name"])]

    monkeypatch.setattr(submit, "open_stack", lambda args: Stack())
    monkeypatch.setattr(submit, "submit_and_follow", follow)
    assert main(["submit", "--vuls", config]) == 1
    assert [one["targets"] for one in sent] == [["10.0.0.1"], ["8.8.8.8"]]
    sent.clear()
    assert main(["submit", "--vuls", config, "web"]) == 0
    assert len(sent) == 1


def test_submit_sends_nothing_of_a_file_with_a_problem(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "--vuls", config, "wep"]) == 2
    said = capsys.readouterr().err
    assert "did you mean web?" in said
    assert "nothing was sent" in said


def test_servers_are_named_with_a_configuration_alone(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "-f", config, "web"]) == 2
    assert "--vuls" in capsys.readouterr().err
    assert main(["check", "--vuls", config, "--", "-sV"]) == 2
