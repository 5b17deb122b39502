"""Names that need no DNS: those in /etc/hosts, and localhost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from cascan.nmap.addresses import parse_address
from cascan.nmap.targets.kinds import IPV6

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def read_hosts_file(path: Path, names: Collection[str], family: int) -> dict[str, tuple[str, ...]]:
    """Of the names (lower case, without the root's dot) those that the file has addresses of the family for.

    `localhost` and the names below it are loopback where the file has nothing else: DNS is never asked for them.
    Source: RFC 6761, section 6.3. A line that cannot be read is passed over, as the system's resolver does.
    """
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for address, aliases in _entries(path):
        if (":" in address) is (family == IPV6):
            for name in aliases:
                if name in names:
                    found[name][address] = None
    for name in names:
        if name not in found and (name == "localhost" or name.endswith(".localhost")):
            found[name][LOOPBACK[family]] = None
    return {name: tuple(addresses) for name, addresses in found.items()}


def _entries(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                address, *aliases = line.partition("#")[0].split() or [""]
                if _is_address(address):
                    yield address, [alias.lower().removesuffix(".") for alias in aliases]
    except OSError:  # a container may have none
        return


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
