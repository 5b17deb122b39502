"""Options that nmap does not take together, or takes and silently leaves undone. Source: runs of nmap 7.93.

Whoever asks for an answer that will not come is refused; an option that only tunes what is not done is noted, in
ignored.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from cascan.limits import MAX_PROTOCOL
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.getopt import Given
from cascan.nmap.left_ports import portless
from cascan.nmap.port_list import parse_ports
from cascan.nmap.values import number_in

TCP_SCANS = frozenset({"-sA", "-sF", "-sM", "-sN", "-sS", "-sT", "-sW", "-sX"})
OTHER_SCANS = frozenset({"-sO", "-sU", "-sY", "-sZ"})
SCANS = TCP_SCANS | OTHER_SCANS
NO_PORT_SCAN = frozenset({"-sL", "-sn"})
COMMON_PORTS = frozenset({"--port-ratio", "--top-ports", "-F"})
PORT_CHOICES = COMMON_PORTS | {"--exclude-ports", "-p"}
PORT_LETTERS = {"T": TCP_SCANS, "U": {"-sU"}, "S": {"-sY", "-sZ"}, "P": {"-sO"}}  # in a port list
OS_DETECTION = frozenset({"-A", "-O"})
FRAGMENTS = frozenset({"--ff", "--mtu", "-f"})
PAYLOADS = ("--data", "--data-string", "--data-length")
CRAFTED = FRAGMENTS | {"--badsum", "--ip-options", "--scanflags", "--source-port", "--spoof-mac", "--ttl", "-D", "-S",
                       *PAYLOADS}  # fmt: skip
SENDERS = ("-D", "-S")  # their values are addresses
RANDOM = r"RND:[0-9]+"  # among decoys
NEEDS_SCAN = {"--defeat-rst-ratelimit": "-sS", "--defeat-icmp-ratelimit": "-sU"}
BESIDE = (  # one of these, beside each of those: why not
    (NO_PORT_SCAN, SCANS, "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, OS_DETECTION, "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, PORT_CHOICES, "{one} scans no port, so there is no use for {other} beside it; take one of them out"),
    (NO_PORT_SCAN, {"-sV"}, "{one} scans no port, so nmap would ask none for its version; take one of the two out"),
    ({"-sL"}, FRAGMENTS | {"--script", "--traceroute", "-sC"},
     "{one} sends nothing, so nmap would leave {other} undone; take one of the two out"),
    ({"-sO"}, OS_DETECTION | {"-sV"}, "{one} asks for protocols, not ports: nmap ignores {other} beside it"),
    ({"-sO"}, SCANS - {"-sO"}, "{one} asks for protocols, not ports: nmap takes no other scan beside it"),
    ({"-6"}, {"-PM", "-PP"}, "{other} asks by a message that IPv6 does not have; use -PE"),
    ({"-6"}, FRAGMENTS, "{other}: nmap makes no fragments of IPv6; take one of the two out"),
    ({"--ip-options"}, OS_DETECTION, "{one}: OS detection, which {other} asks for, goes without; choose one"),
    ({"--scan-delay"}, {"--max-parallelism", "--min-parallelism"},
     "{other}: nmap ignores it beside {one}, which has probes wait for one another; choose one"),
    ({"-F"}, {"-p"}, "-F chooses the ports, so nmap takes no -p beside it; --top-ports chooses among common ones"),
    ({"-n"}, {"-R"}, "-n and -R: nmap would ask for no names; choose one"),
)  # fmt: skip
ORDERED = (  # least, most, whether they are times
    ("--min-rate", "--max-rate", False),
    ("--min-parallelism", "--max-parallelism", False),
    ("--min-hostgroup", "--max-hostgroup", False),
    ("--min-rtt-timeout", "--max-rtt-timeout", True),
    ("--scan-delay", "--max-scan-delay", True),
)
Conflict = tuple[str, str]  # the canonical name of the option to blame, one sentence
ONCE = ("-p", "--exclude-ports", "-PS", "-PA", "-PU", "-PY", "-PO")


def conflicts_in(options: Sequence[Given], *, raw: bool = True) -> Iterator[Refusal]:
    """`raw`: there are raw sockets. One for each conflict, naming the options and what to do."""
    names = Counter(given.option.canonical for given in options)
    written = {given.option.canonical: given.shown for given in reversed(options)}
    for name, sentence in dict.fromkeys(_conflicts(options, names, raw=raw)):
        yield Refusal(written[name], Rule.OPTION, sentence)


def _conflicts(options: Sequence[Given], names: Mapping[str, int], *, raw: bool) -> Iterator[Conflict]:
    for ones, others, sentence in BESIDE:
        for one in sorted(ones & names.keys())[:1]:
            yield from ((other, sentence.format(one=one, other=other)) for other in sorted(others & names.keys()))
    yield from _one_of_a_kind(names)
    yield from _of_packets(names)
    yield from _of_values(options, names)
    values = {given.option.canonical: given.value or "" for given in options}
    scans = _scans(names)
    yield from portless(values, {letter: scans & kinds for letter, kinds in PORT_LETTERS.items()}, raw=raw)


def _scans(names: Mapping[str, int]) -> Set[str]:
    """Those that stand there, or nmap's own choice."""
    return SCANS & names.keys() or (set() if NO_PORT_SCAN & names.keys() else {"-sS"})


def _one_of_a_kind(names: Mapping[str, int]) -> Iterator[Conflict]:
    tcp, common = sorted(TCP_SCANS & names.keys()), sorted(COMMON_PORTS & names.keys())
    if len(tcp) > 1:
        yield tcp[-1], f"{' and '.join(tcp)}: nmap takes one kind of TCP scan; choose one"
    if len(common) > 1:
        yield common[-1], f"{' and '.join(common)}: each chooses the ports, and nmap heeds one; choose one"
    payloads = [name for name in PAYLOADS if name in names]
    if sum(names[name] for name in payloads) > 1:
        yield payloads[-1], f"{', '.join(PAYLOADS)}: nmap takes one of them, once; choose one"
    for name in ONCE:
        if names[name] > 1:
            yield name, f"{name} stands {names[name]} times: nmap takes one; separate the values with commas"


def _of_packets(names: Mapping[str, int]) -> Iterator[Conflict]:
    """What only certain packets can carry."""
    scans = SCANS & names.keys()
    for name, scan in NEEDS_SCAN.items():
        by_default = scan == "-sS" and not scans and not NO_PORT_SCAN & names.keys()
        if name in names and scan not in scans and not by_default:
            yield name, f"{name} works with {scan} alone, so nmap takes it only beside {scan}"
    if scans == {"-sT"}:
        for name in sorted(CRAFTED & names.keys()):
            yield (
                name,
                f"{name}: -sT connects as any program does, so nmap would ignore it; use a raw scan, as -sS",
            )
    if "--scanflags" in names and not TCP_SCANS & scans and (scans | NO_PORT_SCAN) & names.keys():
        yield "--scanflags", "--scanflags is for TCP scans, and none stands there; nmap would ignore it"


def _of_values(options: Sequence[Given], names: Mapping[str, int]) -> Iterator[Conflict]:
    scans = _scans(names)
    family, others = ("IPv6", ".") if "-6" in names else ("IPv4", ":")
    for given in options:
        value = given.value or ""
        if given.option.canonical == "-p":
            yield from _of_ports(value, scans)
        if given.option.canonical in SENDERS and others in re.sub(RANDOM, "", value):
            yield given.option.canonical, f"{given.shown}: an address of the other family; this scan is of {family}"
    for least, most, is_time in ORDERED:
        low, high = _value(options, least, is_time=is_time), _value(options, most, is_time=is_time)
        if low is not None and high is not None and low > high:
            yield least, f"{least} is more than {most}; exchange them"


def _of_ports(ports: str, scans: Set[str]) -> Iterator[Conflict]:
    """Ports that no scan would look at, and scans that would have no port."""
    try:
        items = parse_ports(ports)
    except ValueError:  # told by itself
        return
    letters = {item.letter for item in items}
    for letter, kinds in PORT_LETTERS.items():
        missing = "a TCP scan" if letter == "T" else " or ".join(sorted(kinds))
        if scans and not scans & kinds and letter in letters:
            yield "-p", f"-p {ports[:60]}: {letter}: is for {missing}, and none stands there; nmap would leave it out"
        if scans & kinds and not letters & {letter, ""}:
            scan = "the TCP scan" if letter == "T" else " and ".join(sorted(scans & kinds))
            yield (
                "-p",
                f"-p {ports[:60]}: {scan} has no port in it, as {letter}: would give it; nmap would leave it out",
            )
    if "-sO" in scans and any(max(item.low or 0, item.high or 0) > MAX_PROTOCOL for item in items):
        yield "-p", f"-p {ports[:60]}: Protocols specified must be between 0 and {MAX_PROTOCOL} inclusive"


def _value(options: Sequence[Given], name: str, *, is_time: bool) -> float | None:
    """The number of an option, the last one as nmap has it; None: not given, or no number, which is told by itself."""
    values = [given.value or "" for given in options if given.option.canonical == name]
    try:
        return number_in(values[-1], is_time=is_time) if values else None
    except (ValueError, KeyError):
        return None
