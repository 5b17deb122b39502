"""The commands that documents show: those in shell blocks, and those in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests", "tests/lab", "tests/simulation", "infra/local", "infra/worker", "layers/expressions", "layers/nmap")
DOCUMENTS = [
    *sorted(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in FOLDERS),
]
BLOCK = re.compile(r"^ *```sh\n(?P<lines>.*?)^ *```", re.MULTILINE | re.DOTALL)
INNER = re.compile(r"\$\((?P<command>[^()]*)\)")
INLINE = re.compile(r"`(?P<command>cascan [a-z][^`]*)`")


class Shown(NamedTuple):
    document: str
    line: str  # as it is written, without the block's indentation; continued lines are joined
    block: str  # the whole block

    @property
    def commands(self) -> list[str]:
        """The line without its remark, and the commands whose output it takes; those of a pipe one by one."""
        line = re.sub(r"(^|\s)#.*", "", self.line)
        whole = [INNER.sub("VALUE", line), *(inner["command"] for inner in INNER.finditer(line))]
        return [command.strip() for text in whole for command in text.split(" | ")]


def blocks() -> Iterator[Shown]:
    """Each line of each shell block."""
    for document in DOCUMENTS:
        for block in BLOCK.finditer(document.read_text()):
            for line in block["lines"].replace("\\\n", " ").splitlines():
                if line.strip():
                    yield Shown(str(document.relative_to(ROOT)), line.strip(), block["lines"])


def inline() -> list[tuple[str, str]]:
    """Each `cascan …` in a text, with the document that has it."""
    return [
        (str(document.relative_to(ROOT)), command)
        for document in DOCUMENTS
        for found in INLINE.finditer(BLOCK.sub("", document.read_text()))
        for command in found["command"].split(" | ")
    ]
