"""Where targets and ports are among nmap's arguments, so that proposals that differ only in those
can be merged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cascan.nmap.options.getopt import read_words

PORTS = re.compile(r"[0-9]{1,5}(,[0-9]{1,5})*")
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ArgumentPositions:
    """Positions, from 0.

    `ports`: that of the only plain list of ports, after `prefix` in its argument, or None.
    """

    targets: tuple[int, ...]
    ports: int | None = None
    prefix: str = ""

    def read_ports(self, arguments: Sequence[str]) -> frozenset[int] | None:
        """The port numbers of a plain list.

        None: there are no ports, or they are written in another way.
        """
        if self.ports is None:
            return None
        text = arguments[self.ports][len(self.prefix) :]
        if not PORTS.fullmatch(text):
            return None
        ports = frozenset(map(int, text.split(",")))
        return ports if max(ports) <= MAX_PORT else None


def find_argument_positions(arguments: Sequence[str]) -> ArgumentPositions:
    """The positions, with the arguments read as nmap reads them."""
    marked = [_mark(position, argument) for position, argument in enumerate(arguments)]
    parsed = read_words(marked)
    targets = tuple(position for position, mark in enumerate(marked) if mark in parsed.targets)
    port_options = [given for given in parsed.options if given.option.name == "-p"]
    if len(port_options) != 1 or not port_options[0].value:
        return ArgumentPositions(targets)
    return _with_ports(targets, marked, port_options[0].value, port_options[0].written)


def _mark(position: int, argument: str) -> str:
    """An option as it is, and any other argument as its position.

    So two arguments with the same text differ.
    """
    return argument if argument.startswith("-") else f"<{position}>"


def _with_ports(
    targets: tuple[int, ...],
    marked: Sequence[str],
    value: str,
    written: str,
) -> ArgumentPositions:
    """`value` is that of the option -p; `written` is the argument that holds the option."""
    is_separate = value.startswith("<") and value in marked
    if is_separate:
        return ArgumentPositions(targets, marked.index(value))
    if written.endswith(value) and marked.count(written) == 1:
        return ArgumentPositions(targets, marked.index(written), written.removesuffix(value))
    return ArgumentPositions(targets)
