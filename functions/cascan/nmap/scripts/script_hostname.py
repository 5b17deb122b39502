"""The name behind pinned addresses → the script arguments by which nmap's scripts still say it.

nmap is given numbers, so that what was judged is what is scanned. Servers that hold several sites tell them apart by
the name in TLS (SNI) and in HTTP (Host): `tls.servername` and `http.host` make nmap's script libraries send it. What
takes neither (a page fetched over TLS, the probes of -sV themselves) goes without. Source: runs of nmap 7.93.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cascan.nmap.options.getopt import read_words
from cascan.nmap.targets.one_shard_per_name import TALKATIVE

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*")  # letters, digits, hyphens: no underscore stands in SNI
ARGUMENTS = "--script-args"


def add_script_hostname(arguments: Sequence[str], name: str) -> tuple[str, ...]:
    """Canonical options, with the name for scripts to say where any script runs; unchanged for a name that is none.

    The name stands last among the request's own script arguments: of one argument given twice nmap takes the later.
    """
    given = read_words(arguments).options
    if not HOST_NAME.fullmatch(name) or not TALKATIVE & {one.option.canonical for one in given}:
        return tuple(arguments)
    ours = f"tls.servername={name},http.host={name}"
    last = next((one for one in reversed(given) if one.option.canonical == ARGUMENTS), None)
    if last is None:  # nmap takes one --script-args, the last: a second would put out the request's
        return (*arguments, ARGUMENTS, ours)
    theirs = (last.value or "").rstrip(", ")
    value = f"{theirs},{ours}" if theirs else ours
    return (*arguments[: last.position], value, *arguments[last.position + 1 :])
