"""The name behind pinned addresses → the script arguments with which nmap's scripts still send it.

nmap is given addresses, so that exactly the judged ones are scanned. Servers with several sites choose by the name in
TLS (SNI) and in HTTP (Host): `tls.servername` and `http.host` make nmap's script libraries send it. What reads neither
(a page fetched over TLS, the probes of -sV themselves) does not send the name. Source: runs of nmap 7.93.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cascan.nmap.options.getopt import read_words
from cascan.nmap.targets.one_shard_per_name import RUN_SCRIPTS

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*")  # letters, digits, hyphens: SNI allows no underscore
ARGUMENTS = "--script-args"


def add_script_hostname(arguments: Sequence[str], name: str) -> tuple[str, ...]:
    """Canonical options, with the name as a script argument where any script runs; unchanged for an invalid name.

    The name comes after the request's own script arguments: of one argument given twice nmap takes the later.
    """
    options = read_words(arguments).options
    if not HOST_NAME.fullmatch(name) or not RUN_SCRIPTS & {given.option.canonical for given in options}:
        return tuple(arguments)
    added = f"tls.servername={name},http.host={name}"
    script_args = [given for given in options if given.option.canonical == ARGUMENTS]
    if not script_args:
        return (*arguments, ARGUMENTS, added)
    in_effect = script_args[-1]  # nmap takes the last --script-args: another one would replace the request's
    requested = (in_effect.value or "").rstrip(", ")
    value = f"{requested},{added}" if requested else added
    return (*arguments[: in_effect.position], value, *arguments[in_effect.position + 1 :])
