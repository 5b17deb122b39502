"""Options that nmap does not take together. Source: what nmap 7.93 says of them, run by run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cascan.nmap.getopt import Given

TCP_SCANS = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sT", "-sW", "-sX"})
OTHER_SCANS = frozenset({"-sO", "-sU", "-sY", "-sZ"})
NO_PORT_SCAN = frozenset({"-sL", "-sn"})
PORT_CHOICES = frozenset({"-F", "-p"})
ONCE = ("-p", "--exclude-ports", "-PS", "-PA", "-PU", "-PY", "-PO")


def conflicts_in(options: Sequence[Given]) -> Iterator[str]:
    """One sentence for each conflict, naming the options and what to do."""
    names = Counter(given.option.canonical for given in options)
    tcp = sorted(TCP_SCANS & names.keys())
    scans = sorted((TCP_SCANS | OTHER_SCANS) & names.keys())
    skips = sorted(NO_PORT_SCAN & names.keys())
    ports = sorted(PORT_CHOICES & names.keys())
    if len(tcp) > 1:
        yield f"{' and '.join(tcp)}: nmap takes one kind of TCP scan; choose one"
    if "-sO" in names and len(scans) > 1:
        yield "-sO asks for protocols, not ports: nmap takes no other scan beside it"
    if skips and scans:
        yield f"{skips[0]} scans no port, so nmap takes no {scans[0]} beside it"
    if skips and ports:
        yield f"{skips[0]} scans no port, so nmap takes no {ports[0]} beside it"
    if len(ports) > 1:
        yield "-F chooses the ports, so nmap takes no -p beside it; --top-ports chooses among common ones"
    for name in ONCE:
        if names[name] > 1:
            yield f"{name} stands {names[name]} times: nmap takes one; separate the values with commas"
