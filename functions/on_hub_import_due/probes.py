"""What a scan looks for beside open ports, in words that two scans can be compared by.

A script or the probing of versions sees things that a plain scan of the same port cannot see. So a
finding is gone only if a scan does not see it that looked for all that the earlier scan looked for,
with the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cascan.findings.hosts import CATEGORY as HOST
from cascan.findings.ports import CATEGORIES
from cascan.model.finding import Finding

PORT_CATEGORIES = frozenset(CATEGORIES.values())
SCRIPTS = "--script"
FLAGS = frozenset({"-sV", "-O", "--version-light", "--version-all", "-R", "-n"})
SETTINGS = ("--script-args", "--script-timeout", "--version-intensity")  # another value may see something else


def list_probes(arguments: Sequence[str]) -> frozenset[str]:
    """Of a shard's canonical options: each script, each flag, and each setting with its value."""
    return frozenset(_list_probes(arguments))


def _list_probes(arguments: Sequence[str]) -> Iterator[str]:
    values = dict(zip(arguments, [*arguments[1:], ""], strict=True))
    yield from FLAGS & set(arguments)
    for script in values.get(SCRIPTS, "").split(","):
        if script.strip():
            yield f"{SCRIPTS} {script.strip()}"
    for setting in SETTINGS:
        yield f"{setting} {values.get(setting, '')}".rstrip()


def find_needs(finding: Finding, probes: frozenset[str]) -> tuple[str, ...]:
    """What a scan has to look for to see the finding. Empty: any scan of the port, or of the host, sees it."""
    if finding.category in PORT_CATEGORIES or finding.category == HOST:
        return ()
    return tuple(sorted(probes))
