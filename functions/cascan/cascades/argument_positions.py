"""Where among nmap's words targets and ports stand, so that wishes that differ in them alone can be joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cascan.nmap.options.getopt import read_words

PORTS = re.compile(r"[0-9]{1,5}(,[0-9]{1,5})*")
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ArgumentPositions:
    """Positions, from 0. `ports` is where one plain list of port numbers stands, behind `prefix`; None: nowhere."""

    targets: tuple[int, ...]
    ports: int | None = None
    prefix: str = ""

    def read_ports(self, words: Sequence[str]) -> frozenset[int] | None:
        """The port numbers, where they are a plain list; None: another way to say ports, or none."""
        text = "" if self.ports is None else words[self.ports][len(self.prefix) :]
        if not PORTS.fullmatch(text):
            return None
        ports = frozenset(map(int, text.split(",")))
        return ports if max(ports) <= MAX_PORT else None


def find_argument_positions(words: Sequence[str]) -> ArgumentPositions:
    """Read as nmap reads them. Words that do not begin with a dash are told apart by their positions."""
    marked = [word if word.startswith("-") else f"<{position}>" for position, word in enumerate(words)]
    read = read_words(marked)
    targets = tuple(position for position, word in enumerate(marked) if word in read.targets)
    given = [option for option in read.options if option.option.name == "-p"]
    if len(given) != 1 or not given[0].value:
        return ArgumentPositions(targets)
    value, written = given[0].value, given[0].written
    if value in marked and value.startswith("<"):
        return ArgumentPositions(targets, marked.index(value), "")
    if written.endswith(value) and marked.count(written) == 1:
        return ArgumentPositions(targets, marked.index(written), written[: -len(value)])
    return ArgumentPositions(targets)
