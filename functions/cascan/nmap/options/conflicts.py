"""Options that nmap refuses together, or of which it silently ignores one.

Source: runs of nmap 7.93.

A request for a result that would never come is refused. An option that only tunes something that
does not take place gets a note, in ignored.py. The rule of a refusal says whether nmap would start:
GRAMMAR if not, LEFT_UNDONE if so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from cascan.limits import MAX_PROTOCOL
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.decoys import find_family_mismatch
from cascan.nmap.options.fragments import NO_FRAGMENTS, takes_fragments
from cascan.nmap.options.getopt import SHOWN_CHARS, GivenOption
from cascan.nmap.options.refused_values import parse_c_integer
from cascan.nmap.options.values import normalize_value, parse_number
from cascan.nmap.ports.excluded_ports import find_portless_scans
from cascan.nmap.ports.port_list import PortItem, parse_ports
from cascan.nmap.ports.service_names import find_unknown_services
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.patterns import compile_pattern

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
CRAFTED = (
    {"--badsum", "--ip-options", "--scanflags", "--source-port", "--spoof-mac", "--ttl", "-D"} | FRAGMENTS | {*PAYLOADS}
)
NEEDS_SCAN = {"--defeat-rst-ratelimit": "-sS", "--defeat-icmp-ratelimit": "-sU"}
GRAMMAR, LEFT_UNDONE = Rule.GRAMMAR, Rule.LEFT_UNDONE
CONFLICTING = (  # one of these options, conflicting options beside it, the rule, the sentence
    (NO_PORT_SCAN, SCANS | OS_DETECTION, GRAMMAR,
     "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, {"-F", "-p"}, GRAMMAR,
     "{one} scans no port, so nmap takes no {other} beside it"),
    (NO_PORT_SCAN, PORT_CHOICES - {"-F", "-p"}, LEFT_UNDONE,
     "{one} scans no port, so {other} has no effect beside it; remove one of them"),
    (NO_PORT_SCAN, {"-sV"}, LEFT_UNDONE,
     "{one} scans no port, so nmap would ask none for its version; take one of the two out"),
    ({"-sL"}, {"--script", "--traceroute", "-sC"}, LEFT_UNDONE,
     "{one} sends nothing, so nmap would leave {other} undone; take one of the two out"),
    ({"-sO"}, OS_DETECTION | {"-sV"}, LEFT_UNDONE,
     "{one} asks for protocols, not ports: nmap ignores {other} beside it"),
    ({"-sO"}, SCANS - {"-sO"}, GRAMMAR,
     "{one} asks for protocols, not ports: nmap takes no other scan beside it"),
    ({"-6"}, {"-PB", "-PM", "-PP"}, GRAMMAR,
     "{other} asks by a message that IPv6 does not have; use -PE"),
    ({"-6"}, FRAGMENTS, GRAMMAR,
     "{other}: nmap makes no fragments of IPv6; take one of the two out"),
    ({"-4"}, {"-6"}, GRAMMAR, "Cannot use both -4 and -6 in one scan; ask for two scans"),
    ({"--ip-options"}, OS_DETECTION, LEFT_UNDONE,
     "{one} does not apply to OS detection, which {other} asks for; choose one"),
    ({"--scan-delay"}, {"--max-parallelism", "--min-parallelism"}, LEFT_UNDONE,
     "{other}: nmap ignores it beside {one}, which has probes wait for one another; choose one"),
    ({"-F"}, {"-p"}, GRAMMAR,
     "-F chooses the ports, so nmap takes no -p beside it; --top-ports chooses among common ones"),
    ({"-n"}, {"-R"}, LEFT_UNDONE, "-n and -R: nmap would ask for no names; choose one"),
)  # fmt: skip
BOUNDS = (  # the lower bound, the upper bound, whether they are times
    ("--min-rate", "--max-rate", False),
    ("--min-parallelism", "--max-parallelism", False),
    ("--min-rtt-timeout", "--max-rtt-timeout", True),
    ("--scan-delay", "--max-scan-delay", True),
)
FINITE = r"[0-9.]+[a-z]*"
MAX_HOSTGROUP = 100_000  # nmap's default
ONE_AT_A_TIME = frozenset({"0", "1", "2"})  # timing templates that have --max-parallelism 1
ONCE = (("-p",), ("--exclude-ports",), ("-PS",), ("-PA", "-PB"), ("-PU",), ("-PY",), ("-PO",))


Options = Sequence[GivenOption]
Counts = Mapping[str, int]  # how often each option is given, by its canonical name


class Conflict(NamedTuple):
    option: str  # to refuse, by its canonical name
    sentence: str
    rule: Rule = Rule.GRAMMAR


def find_conflicts(options: Options, *, raw: bool = True) -> Iterator[Refusal]:
    """A refusal for each conflict; it names the options and the fix.

    `raw` says whether raw sockets are available.
    """
    counts = Counter(given.option.canonical for given in options)
    first_given = {given.option.canonical: given for given in reversed(options)}
    for conflict in dict.fromkeys(_find_all(options, counts, raw=raw)):
        given, rule = first_given[conflict.option], conflict.rule
        if not raw and rule is GRAMMAR and given.option.is_raw:
            continue  # refused for lack of raw sockets already
        if not raw and given.option.name == "-A":
            rule = LEFT_UNDONE  # without raw sockets -A detects no operating system
        yield Refusal(given.label, rule, conflict.sentence)


def _find_all(options: Options, counts: Counts, *, raw: bool) -> Iterator[Conflict]:
    """The conflicts of all kinds."""
    yield from _find_conflicting(counts)
    yield from _find_surplus(counts)
    yield from _find_repeated(counts)
    yield from _find_unusable_packets(counts)
    yield from _find_wrong_values(options, counts)
    yield from _find_wrong_bounds(options)
    yield from _find_wrong_hostgroups(options)
    yield from _find_wrong_parallelism(options, counts)
    yield from _find_wrong_services(options, counts, raw=raw)
    yield from _find_wrong_fragments(options, counts)


def _find_wrong_services(options: Options, counts: Counts, *, raw: bool) -> Iterator[Conflict]:
    """Scans that --exclude-ports leaves without a port, and services that nmap does not know."""
    scans = _choose_scans(counts)
    scans_by_letter = {letter: scans & kinds for letter, kinds in PORT_LETTERS.items()}
    for option, sentence in find_portless_scans(_last_values(options), scans_by_letter, raw=raw):
        yield Conflict(option, sentence, LEFT_UNDONE)
    letters = "".join(letter for letter, kinds in scans_by_letter.items() if kinds)
    for option, sentence in find_unknown_services(options, letters):
        yield Conflict(option, sentence)


def _find_wrong_fragments(options: Options, counts: Counts) -> Iterator[Conflict]:
    """Options for fragments beside scans and pings that nmap does not fragment."""
    requested = FRAGMENTS & counts.keys()
    if requested and not takes_fragments(_last_values(options), counts["-f"]):
        rule = LEFT_UNDONE if "-sL" in counts else GRAMMAR  # -sL sends nothing, and takes some of them
        yield Conflict(min(requested), NO_FRAGMENTS, rule)


def _last_values(options: Options) -> dict[str, str]:
    """The value of each canonical option; of one that is repeated the last."""
    return {given.option.canonical: given.value or "" for given in options}


def _choose_scans(counts: Counts) -> Set[str]:
    """The scans that the options name, or nmap's default."""
    default = set() if NO_PORT_SCAN & counts.keys() else {"-sS"}
    return SCANS & counts.keys() or default


def _find_conflicting(counts: Counts) -> Iterator[Conflict]:
    """Options of the table CONFLICTING. Of several options on its left the first one counts."""
    for names, others, rule, sentence in CONFLICTING:
        for name in sorted(names & counts.keys())[:1]:
            for other in sorted(others & counts.keys()):
                yield Conflict(other, sentence.format(one=name, other=other), rule)


def _find_surplus(counts: Counts) -> Iterator[Conflict]:
    """Several options of a kind of which nmap accepts, or uses, one."""
    tcp_scans = sorted(TCP_SCANS & counts.keys())
    if len(tcp_scans) > 1:
        sentence = f"{' and '.join(tcp_scans)}: nmap takes one kind of TCP scan; choose one"
        yield Conflict(tcp_scans[-1], sentence)
    if counts["-sX"] > 1:
        sentence = "-sX is given twice: nmap takes that for two kinds of TCP scan; write it once"
        yield Conflict("-sX", sentence)
    port_choices = sorted(COMMON_PORTS & counts.keys())
    if len(port_choices) > 1:
        names = " and ".join(port_choices)
        sentence = f"{names}: each chooses the ports, and nmap heeds one; choose one"
        yield Conflict(port_choices[-1], sentence, LEFT_UNDONE)
    payloads = [name for name in PAYLOADS if name in counts]
    if sum(counts[name] for name in payloads) > 1:
        sentence = f"{', '.join(PAYLOADS)}: nmap takes one of them, once; choose one"
        yield Conflict(payloads[-1], sentence)


def _find_repeated(counts: Counts) -> Iterator[Conflict]:
    """Options that nmap accepts once only, alone or as a group."""
    for group in ONCE:
        names = [name for name in group if name in counts]
        if len(names) > 1:
            sentence = f"{' and '.join(names)}: nmap takes one of them, once; choose one"
            yield Conflict(names[-1], sentence)
        elif names and counts[names[0]] > 1:
            repeated = f"{names[0]} is given {counts[names[0]]} times"
            yield Conflict(names[0], f"{repeated}: nmap takes one; separate the values with commas")


def _find_unusable_packets(counts: Counts) -> Iterator[Conflict]:
    """Options for packets that none of the scans sends."""
    scans = SCANS & counts.keys()
    for name, scan in NEEDS_SCAN.items():
        if name in counts and not _includes_scan(scan, counts):
            sentence = f"{name} works with {scan} alone, so nmap takes it only beside {scan}"
            yield Conflict(name, sentence)
    if scans == {"-sT"}:
        for name in sorted(CRAFTED & counts.keys()):
            effect = "-sT connects as any program does, so nmap would ignore it"
            yield Conflict(name, f"{name}: {effect}; use a raw scan, as -sS", LEFT_UNDONE)
    is_default_scan = not (scans | NO_PORT_SCAN) & counts.keys()
    if "--scanflags" in counts and not TCP_SCANS & scans and not is_default_scan:
        sentence = "--scanflags is for TCP scans, and none is given; nmap would ignore it"
        yield Conflict("--scanflags", sentence, LEFT_UNDONE)


def _includes_scan(scan: str, counts: Counts) -> bool:
    """Whether nmap counts the scan among those to run."""
    if scan in counts:
        return True
    is_default = not (SCANS | NO_PORT_SCAN) & counts.keys()
    return scan == "-sS" and (is_default or "--open" in counts)


def _find_wrong_values(options: Options, counts: Counts) -> Iterator[Conflict]:
    """Values that do not fit the scans or the address family."""
    scans = _choose_scans(counts)
    family = IPV6 if "-6" in counts else IPV4
    for given in options:
        value = given.value or ""
        if given.option.canonical == "-p":
            yield from _find_wrong_ports(value, scans)
        elif given.option.canonical == "-D":
            mismatch = find_family_mismatch(value, family)
            if mismatch:
                yield Conflict("-D", f"{given.label}: {mismatch}")


def _find_wrong_bounds(options: Options) -> Iterator[Conflict]:
    """Lower bounds above upper ones."""
    for lower, upper, is_time in BOUNDS:
        low = _find_number(options, lower, is_time=is_time)
        high = _find_number(options, upper, is_time=is_time)
        if low is not None and high is not None and low > high:
            rule = LEFT_UNDONE if is_time else GRAMMAR  # nmap accepts times in any order
            yield Conflict(lower, f"{lower} is more than {upper}; exchange them", rule)


def _find_wrong_parallelism(options: Options, counts: Counts) -> Iterator[Conflict]:
    """A --min-parallelism beside a timing template that sends one probe at a time."""
    min_probes = _find_number(options, "--min-parallelism", is_time=False) or 0
    templates = [given for given in options if given.option.canonical == "-T"]
    slow = [given for given in templates if _is_slow(given.value or "")]
    if slow and min_probes > 1 and "--max-parallelism" not in counts:
        excess = f"--min-parallelism is more than the one probe at a time of {slow[0].label}"
        yield Conflict("--min-parallelism", f"{excess}; choose another -T")


def _is_slow(timing: str) -> bool:
    """Whether a timing template sends one probe at a time."""
    try:
        return normalize_value("timing", timing) in ONE_AT_A_TIME
    except ValueError:  # refused by the check of its value
        return False


def _find_wrong_hostgroups(options: Options) -> Iterator[Conflict]:
    """nmap compares the two bounds each time that it reads one of them."""
    bounds = {"--min-hostgroup": 1, "--max-hostgroup": MAX_HOSTGROUP}
    for given in options:
        name = given.option.canonical
        if name not in bounds:
            continue
        bounds[name] = parse_c_integer(given.value or "")
        if bounds["--min-hostgroup"] > bounds["--max-hostgroup"]:
            sentence = "--min-hostgroup is more than --max-hostgroup, as nmap reads them one by one"
            yield Conflict(name, f"{sentence}; exchange them")
            return


def _find_wrong_ports(ports: str, scans: Set[str]) -> Iterator[Conflict]:
    """Ports that no scan would look at, and scans that would have no port."""
    try:
        items = parse_ports(ports)
    except ValueError:  # refused by the check of its value
        return
    shown = f"-p {ports[:SHOWN_CHARS]}"
    letters = {item.letter for item in items}
    for letter, kinds in PORT_LETTERS.items():
        problem = _find_letter_problem(letter, letters, kinds, scans)
        if problem:
            yield Conflict("-p", f"{shown}: {problem}; nmap would leave it out", LEFT_UNDONE)
    if "-sO" in scans:
        yield from _find_wrong_protocols(items, shown)


def _find_letter_problem(letter: str, letters: Set[str], kinds: Set[str], scans: Set[str]) -> str:
    """Why a letter of a port list does not fit the scans. Empty: it does.

    `letters` are those in the list, `kinds` the scans that a letter is for.
    """
    matching = scans & kinds
    if scans and not matching and letter in letters:
        missing = "a TCP scan" if letter == "T" else " or ".join(sorted(kinds))
        return f"{letter}: is for {missing}, and none is given"
    if matching and not letters & {letter, ""}:
        scan = "the TCP scan" if letter == "T" else " and ".join(sorted(matching))
        return f"{scan} has no port in it, as {letter}: would give it"
    return ""


def _find_wrong_protocols(items: Sequence[PortItem], shown: str) -> Iterator[Conflict]:
    """Items of a port list that are not protocol numbers, as -sO needs them."""
    protocols = [item for item in items if item.letter in ("", "P")]
    highest = max((max(item.low or 0, item.high or 0) for item in protocols), default=0)
    if highest > MAX_PROTOCOL:
        sentence = f"Protocols specified must be between 0 and {MAX_PROTOCOL} inclusive"
        yield Conflict("-p", f"{shown}: {sentence}")
    if any(item.name for item in items):
        sentence = "-sO takes protocols by number, as in 1,6,17; nmap would leave names out"
        yield Conflict("-p", f"{shown}: {sentence}", LEFT_UNDONE)


def _find_number(options: Options, name: str, *, is_time: bool) -> float | None:
    """The number that an option gives; if it is repeated, the last as in nmap.

    None: it is not given, or its value is not a number (refused elsewhere).
    """
    values = [given.value or "" for given in options if given.option.canonical == name]
    if not values or not compile_pattern(FINITE).fullmatch(values[-1]):
        return None
    try:
        return parse_number(values[-1], is_time=is_time)
    except (ValueError, KeyError):
        return None
