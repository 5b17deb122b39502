"""The host name of a target → script arguments with which nmap's scripts send that name.

nmap gets addresses, so that it scans exactly those that were judged. But a server with several
sites chooses one by the name in TLS (SNI) and HTTP (Host). `tls.servername` and `http.host` make
nmap's script libraries send the name. Pages that are fetched over TLS and the probes of -sV read
neither, and do not send it. Source: runs of nmap 7.93.
"""

from __future__ import annotations

from collections.abc import Sequence

from cascan.nmap.options.getopt import read_words
from cascan.nmap.targets.one_shard_per_name import RUN_SCRIPTS
from cascan.patterns import compile_pattern

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOST_NAME = rf"{LABEL}(\.{LABEL})*"  # SNI does not allow an underscore
ARGUMENTS = "--script-args"


def add_script_hostname(arguments: Sequence[str], name: str) -> tuple[str, ...]:
    """The canonical options, with the name as a script argument if any script runs.

    Unchanged for an invalid name.

    The name comes after the request's own script arguments: of a repeated argument nmap takes the
    last.
    """
    options = read_words(arguments).options
    runs_scripts = RUN_SCRIPTS & {given.option.canonical for given in options}
    if not runs_scripts or not compile_pattern(HOST_NAME).fullmatch(name):
        return tuple(arguments)
    added = f"tls.servername={name},http.host={name}"
    script_args = [given for given in options if given.option.canonical == ARGUMENTS]
    if not script_args:
        return (*arguments, ARGUMENTS, added)
    in_effect = script_args[-1]  # nmap takes the last one, so another would replace it
    requested = (in_effect.value or "").rstrip(", ")
    value = f"{requested},{added}" if requested else added
    return (*arguments[: in_effect.position], value, *arguments[in_effect.position + 1 :])
