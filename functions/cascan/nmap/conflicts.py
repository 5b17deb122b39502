"""Options that nmap does not take together. Source: what nmap 7.93 says of them, run by run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cascan.nmap.getopt import Given
from cascan.nmap.values import number_in

TCP_SCANS = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sT", "-sW", "-sX"})
OTHER_SCANS = frozenset({"-sO", "-sU", "-sY", "-sZ"})
NO_PORT_SCAN = frozenset({"-sL", "-sn"})
PORT_CHOICES = frozenset({"-F", "-p"})
IPV4_PINGS = frozenset({"-PM", "-PP"})
NEEDS_SCAN = {"--defeat-rst-ratelimit": "-sS", "--defeat-icmp-ratelimit": "-sU"}
CRAFTED = frozenset({"--badsum", "--data", "--data-length", "--data-string", "--ff", "--ip-options", "--mtu",
                     "--scanflags", "--source-port", "--spoof-mac", "--ttl", "-D", "-S", "-f"})  # fmt: skip
ORDERED = (  # least, most, whether they are times
    ("--min-rate", "--max-rate", False),
    ("--min-parallelism", "--max-parallelism", False),
    ("--min-hostgroup", "--max-hostgroup", False),
    ("--min-rtt-timeout", "--max-rtt-timeout", True),
    ("--scan-delay", "--max-scan-delay", True),
)
ONCE = ("-p", "--exclude-ports", "-PS", "-PA", "-PU", "-PY", "-PO")


def conflicts_in(options: Sequence[Given]) -> Iterator[str]:
    """One sentence for each conflict, naming the options and what to do."""
    names = Counter(given.option.canonical for given in options)
    yield from _of_scans(names)
    yield from _of_packets(names)
    for least, most, is_time in ORDERED:
        low, high = _value(options, least, is_time=is_time), _value(options, most, is_time=is_time)
        if low is not None and high is not None and low > high:
            yield f"{least} is more than {most}; exchange them"
    for name in ONCE:
        if names[name] > 1:
            yield f"{name} stands {names[name]} times: nmap takes one; separate the values with commas"


def _of_scans(names: Mapping[str, int]) -> Iterator[str]:
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
    if "-sO" in names and "-sV" in names:
        yield "-sO asks for protocols, which have no versions: nmap ignores -sV beside it"
    if skips and (detects := sorted({"-A", "-O"} & names.keys())):
        yield f"{skips[0]} scans no port, so nmap takes no {detects[0]} beside it"


def _of_packets(names: Mapping[str, int]) -> Iterator[str]:
    """What only certain packets can carry."""
    scans = (TCP_SCANS | OTHER_SCANS) & names.keys()
    if "-6" in names:
        for name in sorted(IPV4_PINGS & names.keys()):
            yield f"{name} asks by a message that IPv6 does not have; use -PE"
    for name, scan in NEEDS_SCAN.items():
        by_default = scan == "-sS" and not scans and not NO_PORT_SCAN & names.keys()
        if name in names and scan not in scans and not by_default:
            yield f"{name} works with {scan} alone, so nmap takes it only beside {scan}"
    if scans == {"-sT"}:
        for name in sorted(CRAFTED & names.keys()):
            yield f"{name}: -sT connects as any program does, so nmap would ignore it; use a raw scan, such as -sS"


def _value(options: Sequence[Given], name: str, *, is_time: bool) -> float | None:
    """The number of an option, the last one as nmap has it; None: not given, or no number, which is told by itself."""
    values = [given.value or "" for given in options if given.option.canonical == name]
    try:
        return number_in(values[-1], is_time=is_time) if values else None
    except (ValueError, KeyError):
        return None
