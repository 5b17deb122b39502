"""The worked examples of docs/cost.md are what the command prints."""

from __future__ import annotations

import pytest

from tests.docs.cost_examples import DOCUMENT, EXAMPLE, render_example

EXAMPLES = {match["command"]: match["printed"] for match in EXAMPLE.finditer(DOCUMENT.read_text())}


def test_the_document_has_three_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_what_the_command_prints(command: str) -> None:
    assert EXAMPLES[command] == render_example(command), "run python -m tests.docs.cost_examples"
