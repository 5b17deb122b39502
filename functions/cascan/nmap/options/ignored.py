"""Options that nmap accepts but does not use, because of other options. They get a note.

Each only tunes something that does not take place. conflicts.py refuses options for a result that
would never come. Source: runs of nmap 7.93 with and without each option.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cascan.nmap.options.conflicts import NO_PORT_SCAN, ONCE
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.options.mac_address import is_unchecked_vendor
from cascan.nmap.options.table import Takes
from cascan.nmap.ports.service_names import note_unchecked_services

VERSIONS, SYSTEMS = ("-sV", "-A"), ("-O", "-A")
SCRIPTS = ("--script", "-sC", "-sV", "-A")
NEEDS = {  # option → options of which it needs one
    "--allports": (*VERSIONS, "--script", "-sC"),
    "--version-all": VERSIONS,
    "--version-intensity": VERSIONS,
    "--version-light": VERSIONS,
    "--max-os-tries": SYSTEMS,
    "--osscan-guess": SYSTEMS,
    "--osscan-limit": SYSTEMS,
    "--script-args": SCRIPTS,
    "--script-timeout": SCRIPTS,
    "--adler32": ("-sY", "-sZ", "-PY"),
}
PINGS = frozenset({"-PA", "-PB", "-PE", "-PM", "-PO", "-PP", "-PS", "-PU", "-PY"})
INTENSITIES = frozenset({"--version-all", "--version-intensity", "--version-light"})
GIVEN_ONCE = {name for group in ONCE for name in group}  # refused when given twice
ADD_UP = frozenset({"--exclude", "--script", "--script-args"})  # all values count


def find_ignored_options(options: Sequence[GivenOption]) -> Iterator[str]:
    """A sentence for each option without effect."""
    counts = Counter(given.option.canonical for given in options)
    yield from _find_unused(counts)
    portless = sorted(NO_PORT_SCAN & counts.keys())
    if "--open" in counts and portless:
        yield f"--open has no effect here: {portless[0]} scans no port"
    intensities = sorted(INTENSITIES & counts.keys())
    if len(intensities) > 1:
        yield f"{' and '.join(intensities)}: nmap takes the last of them"
    rows = [given.option for given in options]
    with_value = {row.canonical for row in rows if row.takes is Takes.REQUIRED}
    for name in sorted(with_value - ADD_UP - GIVEN_ONCE):
        if counts[name] > 1:
            yield f"{name} is given {counts[name]} times: nmap takes the last"


def _find_unused(counts: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each option that tunes something absent, and each ping that -Pn turns off."""
    for name, needed in NEEDS.items():
        if name in counts and not counts.keys() & set(needed):
            yield f"{name} has no effect here: nmap uses it with {' or '.join(needed)} alone"
    if "-Pn" in counts:
        for name in sorted(PINGS & counts.keys()):
            yield f"{name} has no effect here: -Pn takes every host for up, so nmap asks none"


def find_unchecked_names(options: Sequence[GivenOption]) -> Iterator[str]:
    """Notes on names that cannot be checked, because nmap's own lists are not available here."""
    services_note = note_unchecked_services(options)
    if services_note:
        yield services_note
    for given in options:
        if given.option.canonical == "--spoof-mac" and is_unchecked_vendor(given.value or ""):
            yield f"{given.label}: whether nmap knows the vendor is not checked here"
