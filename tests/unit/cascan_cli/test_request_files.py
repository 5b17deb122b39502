"""Several requests in one file: all are looked at before the first is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascan_cli.errors import BadInput
from cascan_cli.input.request_files import split_requests
from cascan_cli.main import main

TWO = '{"targets": ["10.0.0.1"]}\n---\ntargets: [10.0.0.2]\n'


def test_c5_each_document_of_a_file_is_a_request() -> None:
    assert [json.loads(body)["targets"] for body in split_requests("a", TWO)] == [["10.0.0.1"], ["10.0.0.2"]]
    listed = json.dumps({"kind": "List", "items": [{"kind": "A"}, {"kind": "B"}]})
    assert [json.loads(body)["kind"] for body in split_requests("a", listed)] == ["A", "B"]


@pytest.mark.parametrize("text", ["targets: [10.0.0.1]  # one\n", '{"targets": ', "{targets: [10.0.0.1]}"])
def test_a_single_request_is_sent_unchanged(text: str) -> None:
    assert split_requests("a", text) == [text]


def test_one_of_several_that_cannot_be_read_refuses_them_all() -> None:
    with pytest.raises(BadInput, match=r"a: document 2: the request is not JSON"):
        split_requests("a", '{}\n---\n{"targets": ')


def test_a_rule_among_several_requests_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(TWO + "---\nkind: CascadingRule\n")
    assert main(["submit", "-f", str(file)]) == 2
    assert "document 3: kind CascadingRule" in capsys.readouterr().err
