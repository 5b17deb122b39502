"""`cascan egress` prints a value for the template, or says why there is none."""

from __future__ import annotations

import json

import pytest

from cascan_cli.main import main


def test_standard_output_has_only_the_value_and_remarks_go_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["egress", "10.20.0.0/16, example.org", "192.0.2.7"]) == 0
    said = capsys.readouterr()
    assert said.out == "10.20.0.0/16,192.0.2.7/32\n"
    assert "example.org: a name has no fixed network" in said.err
    assert "10.20.0.0/16: 10.20.0.0 (private use) is not a public address" in said.err


def test_json_carries_the_remarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["egress", "--json", "11.0.0.0/8", "--deny", "11.0.0.1,11.200.3.4"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["networks"] == ["11.0.0.0/8"]
    assert len(answer["remarks"]) == 1


def test_the_network_of_the_stack_decides_on_the_remarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["egress", "10.20.0.0/16", "--network", "endpoints"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["egress", "9.0.0.0/16", "--network", "endpoints"]) == 0
    assert "no route to the Internet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        (["example.org"], "no network left to reach"),
        (["2001:db8::/32"], "no network left to reach"),
        (["not/a/net"], "not/a/net"),
        ([f"10.0.{2 * number}.0/24" for number in range(17)], "too many networks"),
    ],
)
def test_where_there_is_no_value_nothing_is_printed(
    allowed: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["egress", *allowed]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert why in said.err
