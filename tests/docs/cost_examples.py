"""The worked examples of docs/cost.md: below each `cascan cost` command of them stands what it prints.

python -m tests.docs.cost_examples    # writes them
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path
from unittest.mock import patch

from cascan_cli.main import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "cost.md"
EXAMPLE = re.compile(
    r"```sh\n(?P<command>cascan cost [^\n]*)\n```\n\n<!-- printed -->\n(?P<printed>.*?)(?=\n#|\Z)", re.DOTALL
)
ITEM_COLUMNS = 6
HEADER = "| Item | Low | High | Unit | USD low | USD high |\n|---|---|---|---|---|---|\n"


def render_example(command: str) -> str:
    """What the command prints, without its assumptions, as a table and the lines below it."""
    output = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, XDG_STATE_HOME=folder),  # no policy of this machine's own stack
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        assert main(shlex.split(command)[1:]) == 0
    lines = [line.split("\t") for line in output.getvalue().splitlines()]
    items = "".join(f"| {' | '.join(cells)} |\n" for cells in lines if len(cells) == ITEM_COLUMNS)
    summary = "".join(f"- {cells[0]}\n" for cells in lines if len(cells) == 1)
    return f"\n{HEADER}{items}\n{summary}"


def render_document(text: str) -> str:
    """The document with every example as it is printed now."""
    return EXAMPLE.sub(
        lambda match: (
            match[0].replace("<!-- printed -->\n" + match["printed"], "<!-- printed -->\n")
            + render_example(match["command"])
        ),
        text,
    )


if __name__ == "__main__":
    DOCUMENT.write_text(render_document(DOCUMENT.read_text()))
