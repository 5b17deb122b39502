"""Options that nmap does not take together, or takes and silently leaves undone. Source: runs of nmap 7.93.

Whoever asks for an answer that will not come is refused; an option that only tunes what is not done is noted, in
ignored.py. The rule of a refusal says whether nmap would start: GRAMMAR if not, LEFT_UNDONE if so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from cascan.limits import MAX_PROTOCOL
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.decoys import find_family_mismatch
from cascan.nmap.options.fragments import NO_FRAGMENTS, takes_fragments
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.options.refused_values import parse_c_integer
from cascan.nmap.options.values import normalize_value, parse_number
from cascan.nmap.ports.excluded_ports import find_portless_scans
from cascan.nmap.ports.port_list import parse_ports
from cascan.nmap.ports.service_names import find_unknown_services
from cascan.nmap.targets.kinds import IPV4, IPV6

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
CRAFTED = FRAGMENTS | {"--badsum", "--ip-options", "--scanflags", "--source-port", "--spoof-mac", "--ttl", "-D",
                       *PAYLOADS}  # fmt: skip
NEEDS_SCAN = {"--defeat-rst-ratelimit": "-sS", "--defeat-icmp-ratelimit": "-sU"}
GRAMMAR, LEFT_UNDONE = Rule.GRAMMAR, Rule.LEFT_UNDONE
BESIDE = (  # one of these, beside each of those: why not
    (NO_PORT_SCAN, SCANS | OS_DETECTION, GRAMMAR, "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, {"-F", "-p"}, GRAMMAR, "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, PORT_CHOICES - {"-F", "-p"}, LEFT_UNDONE,
     "{one} scans no port, so there is no use for {other} beside it; take one of them out"),
    (NO_PORT_SCAN, {"-sV"}, LEFT_UNDONE,
     "{one} scans no port, so nmap would ask none for its version; take one of the two out"),
    ({"-sL"}, {"--script", "--traceroute", "-sC"}, LEFT_UNDONE,
     "{one} sends nothing, so nmap would leave {other} undone; take one of the two out"),
    ({"-sO"}, OS_DETECTION | {"-sV"}, LEFT_UNDONE,
     "{one} asks for protocols, not ports: nmap ignores {other} beside it"),
    ({"-sO"}, SCANS - {"-sO"}, GRAMMAR, "{one} asks for protocols, not ports: nmap takes no other scan beside it"),
    ({"-6"}, {"-PB", "-PM", "-PP"}, GRAMMAR, "{other} asks by a message that IPv6 does not have; use -PE"),
    ({"-6"}, FRAGMENTS, GRAMMAR, "{other}: nmap makes no fragments of IPv6; take one of the two out"),
    ({"-4"}, {"-6"}, GRAMMAR, "Cannot use both -4 and -6 in one scan; ask for two scans"),
    ({"--ip-options"}, OS_DETECTION, LEFT_UNDONE,
     "{one}: OS detection, which {other} asks for, goes without; choose one"),
    ({"--scan-delay"}, {"--max-parallelism", "--min-parallelism"}, LEFT_UNDONE,
     "{other}: nmap ignores it beside {one}, which has probes wait for one another; choose one"),
    ({"-F"}, {"-p"}, GRAMMAR,
     "-F chooses the ports, so nmap takes no -p beside it; --top-ports chooses among common ones"),
    ({"-n"}, {"-R"}, LEFT_UNDONE, "-n and -R: nmap would ask for no names; choose one"),
)  # fmt: skip
ORDERED = (  # least, most, whether they are times, which nmap takes in any order
    ("--min-rate", "--max-rate", False),
    ("--min-parallelism", "--max-parallelism", False),
    ("--min-rtt-timeout", "--max-rtt-timeout", True),
    ("--scan-delay", "--max-scan-delay", True),
)
FINITE = re.compile(r"[0-9.]+[a-z]*")
MAX_HOSTGROUP = 100_000  # nmap's, until --max-hostgroup says otherwise
ONE_AT_A_TIME = frozenset({"0", "1", "2"})  # timing templates that have --max-parallelism 1
ONCE = (("-p",), ("--exclude-ports",), ("-PS",), ("-PA", "-PB"), ("-PU",), ("-PY",), ("-PO",))


class Conflict(NamedTuple):
    option: str  # the one to blame, by its canonical name
    sentence: str
    rule: Rule = Rule.GRAMMAR


def find_conflicts(options: Sequence[GivenOption], *, raw: bool = True) -> Iterator[Refusal]:
    """`raw`: there are raw sockets. One for each conflict, naming the options and what to do."""
    names = Counter(given.option.canonical for given in options)
    written = {given.option.canonical: given for given in reversed(options)}
    for conflict in dict.fromkeys(_conflicts(options, names, raw=raw)):
        given, rule = written[conflict.option], conflict.rule
        if not raw and rule is GRAMMAR and given.option.is_raw:
            continue  # it is refused for want of raw sockets, and nmap would do something else without these
        if not raw and given.option.name == "-A":
            rule = LEFT_UNDONE  # which detects no operating system then
        yield Refusal(given.label, rule, conflict.sentence)


def _conflicts(options: Sequence[GivenOption], names: Mapping[str, int], *, raw: bool) -> Iterator[Conflict]:
    for ones, others, rule, sentence in BESIDE:
        for one in sorted(ones & names.keys())[:1]:
            for other in sorted(others & names.keys()):
                yield Conflict(other, sentence.format(one=one, other=other), rule)
    yield from _one_of_a_kind(names)
    yield from _of_packets(names)
    yield from _of_values(options, names)
    values = {given.option.canonical: given.value or "" for given in options}
    scans = _scans(names)
    by_letter = {letter: scans & kinds for letter, kinds in PORT_LETTERS.items()}
    yield from (Conflict(*one, LEFT_UNDONE) for one in find_portless_scans(values, by_letter, raw=raw))
    letters = "".join(letter for letter, kinds in by_letter.items() if kinds)
    yield from (Conflict(*one) for one in find_unknown_services(options, letters))
    if FRAGMENTS & names.keys() and not takes_fragments(values, names["-f"]):
        rule = LEFT_UNDONE if "-sL" in names else GRAMMAR  # nmap sends nothing then, and takes some of these
        yield Conflict(min(FRAGMENTS & names.keys()), NO_FRAGMENTS, rule)


def _scans(names: Mapping[str, int]) -> Set[str]:
    """Those that stand there, or nmap's own choice."""
    return SCANS & names.keys() or (set() if NO_PORT_SCAN & names.keys() else {"-sS"})


def _one_of_a_kind(names: Mapping[str, int]) -> Iterator[Conflict]:
    tcp, common = sorted(TCP_SCANS & names.keys()), sorted(COMMON_PORTS & names.keys())
    if len(tcp) > 1:
        yield Conflict(tcp[-1], f"{' and '.join(tcp)}: nmap takes one kind of TCP scan; choose one")
    if names["-sX"] > 1:
        yield Conflict("-sX", "-sX stands twice: nmap takes that for two kinds of TCP scan; write it once")
    if len(common) > 1:
        sentence = f"{' and '.join(common)}: each chooses the ports, and nmap heeds one; choose one"
        yield Conflict(common[-1], sentence, LEFT_UNDONE)
    payloads = [name for name in PAYLOADS if name in names]
    if sum(names[name] for name in payloads) > 1:
        yield Conflict(payloads[-1], f"{', '.join(PAYLOADS)}: nmap takes one of them, once; choose one")
    for group in ONCE:
        given = [name for name in group if name in names]
        if len(given) > 1:
            yield Conflict(given[-1], f"{' and '.join(given)}: nmap takes one of them, once; choose one")
        elif given and names[given[0]] > 1:
            sentence = f"{given[0]} stands {names[given[0]]} times: nmap takes one; separate the values with commas"
            yield Conflict(given[0], sentence)


def _of_packets(names: Mapping[str, int]) -> Iterator[Conflict]:
    """What only certain packets can carry."""
    scans = SCANS & names.keys()
    for name, scan in NEEDS_SCAN.items():
        by_default = scan == "-sS" and not scans and not NO_PORT_SCAN & names.keys()
        if name in names and scan not in scans and not by_default and not (scan == "-sS" and "--open" in names):
            yield Conflict(name, f"{name} works with {scan} alone, so nmap takes it only beside {scan}")
    if scans == {"-sT"}:
        for name in sorted(CRAFTED & names.keys()):
            sentence = f"{name}: -sT connects as any program does, so nmap would ignore it; use a raw scan, as -sS"
            yield Conflict(name, sentence, LEFT_UNDONE)
    if "--scanflags" in names and not TCP_SCANS & scans and (scans | NO_PORT_SCAN) & names.keys():
        sentence = "--scanflags is for TCP scans, and none stands there; nmap would ignore it"
        yield Conflict("--scanflags", sentence, LEFT_UNDONE)


def _of_values(options: Sequence[GivenOption], names: Mapping[str, int]) -> Iterator[Conflict]:
    scans = _scans(names)
    family = IPV6 if "-6" in names else IPV4
    for given in options:
        if given.option.canonical == "-p":
            yield from _of_ports(given.value or "", scans)
        if given.option.canonical == "-D" and (why := find_family_mismatch(given.value or "", family)):
            yield Conflict("-D", f"{given.label}: {why}")
    for least, most, is_time in ORDERED:
        low, high = _value(options, least, is_time=is_time), _value(options, most, is_time=is_time)
        if low is not None and high is not None and low > high:
            rule = LEFT_UNDONE if is_time else GRAMMAR
            yield Conflict(least, f"{least} is more than {most}; exchange them", rule)
    yield from _of_hostgroups(options)
    probes = _value(options, "--min-parallelism", is_time=False) or 0
    slow = [given for given in options if given.option.canonical == "-T" and _is_slow(given.value or "")]
    if slow and probes > 1 and "--max-parallelism" not in names:
        sentence = f"--min-parallelism is more than the one probe at a time of {slow[0].label}; choose another -T"
        yield Conflict("--min-parallelism", sentence)


def _is_slow(timing: str) -> bool:
    try:
        return normalize_value("timing", timing) in ONE_AT_A_TIME
    except ValueError:  # told by itself
        return False


def _of_hostgroups(options: Sequence[GivenOption]) -> Iterator[Conflict]:
    """nmap compares each of the two with the other as it was until then."""
    bounds = {"--min-hostgroup": 1, "--max-hostgroup": MAX_HOSTGROUP}
    for given in options:
        name = given.option.canonical
        if name not in bounds:
            continue
        bounds[name] = parse_c_integer(given.value or "")
        if bounds["--min-hostgroup"] > bounds["--max-hostgroup"]:
            yield Conflict(
                name, "--min-hostgroup is more than --max-hostgroup, as nmap reads them one by one; exchange them"
            )
            return


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
            sentence = f"-p {ports[:60]}: {letter}: is for {missing}, and none stands there; nmap would leave it out"
            yield Conflict("-p", sentence, LEFT_UNDONE)
        if scans & kinds and not letters & {letter, ""}:
            scan = "the TCP scan" if letter == "T" else " and ".join(sorted(scans & kinds))
            sentence = f"-p {ports[:60]}: {scan} has no port in it, as {letter}: would give it; nmap would leave it out"
            yield Conflict("-p", sentence, LEFT_UNDONE)
    if "-sO" not in scans:
        return
    if any(max(item.low or 0, item.high or 0) > MAX_PROTOCOL for item in items if item.letter in ("", "P")):
        yield Conflict("-p", f"-p {ports[:60]}: Protocols specified must be between 0 and {MAX_PROTOCOL} inclusive")
    if any(item.name for item in items):
        sentence = f"-p {ports[:60]}: -sO takes protocols by number, as in 1,6,17; nmap would leave names out"
        yield Conflict("-p", sentence, LEFT_UNDONE)


def _value(options: Sequence[GivenOption], name: str, *, is_time: bool) -> float | None:
    """The number of an option, the last one as nmap has it; None: not given, or no number, which is told by itself."""
    values = [given.value or "" for given in options if given.option.canonical == name]
    if not values or not FINITE.fullmatch(values[-1]):
        return None
    try:
        return parse_number(values[-1], is_time=is_time)
    except (ValueError, KeyError):
        return None
