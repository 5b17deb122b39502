"""nmap's target language: text → Target. Ambiguous spellings of addresses are refused.

nmap reads `010.0.0.1` as 10.0.0.1, where others read octal. It leaves `127.1`, `0x7f000001` and
`2130706433` to the system's resolver, which reads 127.0.0.1. So all of these are refused.

Source: the nmap manual, "Target specification", and comparison with `nmap -sL -n`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from cascan.errors import RequestRefused
from cascan.limits import MAX_TARGET_CHARS
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.targets.kinds import IPV4, IPV6, Name, Network6, Target, build_network6, parse_ipv6
from cascan.nmap.targets.octets import Octet, Octets, apply_mask
from cascan.patterns import compile_pattern

ITEM = r"(?P<low>[0-9]*)(?P<dash>-?)(?P<high>[0-9]*)"
LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
ZONE = r"[A-Za-z0-9_.-]{1,15}"
WITH_PORT = r"(?P<host>[^:\[\]/]*[.g-zG-Z][^:\[\]/]*|\[[^\[\]]+\]):(?P<port>[0-9]{1,5})"
HEXADECIMAL = r"0[xX][0-9A-Fa-f]*"
MAPPED = range(0xFFFF << 32, 0x10000 << 32)  # ::ffff:0:0/96
MAX_NAME_CHARS = 253
OCTETS, MAX_OCTET = 4, 255
SHOWN_CHARS = 80  # of a refused expression


def parse_target(expression: str, family: int = 4) -> Target:
    """The target of one expression.

    Raises: RequestRefused: with the reason, naming the expression.
    """
    try:
        return _parse(expression, family)
    except ValueError as exc:
        raise build_target_refusal(expression, str(exc)) from exc


def build_target_refusal(expression: str, problem: str) -> RequestRefused:
    """The refusal of one expression, which names it."""
    reason = f"target {shorten_expression(expression)}: {problem}"
    return RequestRefused([Refusal(expression[:SHOWN_CHARS], Rule.TARGET_SYNTAX, reason)])


def parse_targets(expressions: Iterable[str], family: int = 4) -> tuple[Target, ...]:
    """The targets of all expressions, in order.

    Raises: RequestRefused: with a reason for each refused one.
    """
    targets: list[Target] = []
    refusals: list[Refusal] = []
    for expression in expressions:
        try:
            targets.append(parse_target(expression, family))
        except RequestRefused as refused:
            refusals += refused.refusals
    if refusals:
        raise RequestRefused(refusals)
    return tuple(targets)


def suggest_punycode(text: str) -> str:
    """What to write for a host name with letters beyond ASCII, completing "it …".

    Empty for any other text.
    """
    labels = unicodedata.normalize("NFC", text.lower()).split(".")
    is_ascii = all(label.isascii() for label in labels)
    if is_ascii or not all(_is_label(label) for label in labels):
        return ""
    written = ".".join(map(_to_punycode, labels))
    problem = "holds a character that is not printable ASCII"
    return f"{problem}; a host name is written in its punycode form: {written}"


def _to_punycode(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def _is_label(label: str) -> bool:
    """Whether a label has only letters of any script, their marks, digits, - and _."""
    others = "-_0123456789"
    letters = [char for char in label if char not in others]
    return bool(label) and all(unicodedata.category(char)[0] in "LM" for char in letters)


def _parse(expression: str, family: int) -> Target:
    _check_text(expression)
    if ":" in expression:
        return _parse_network6(expression, family)
    host, bits = _split_mask(expression, 32 if family == IPV4 else 128)
    octets = _parse_octets(host)
    if octets is None:
        return Name(expression, _check_name(host), family, bits)
    if family != IPV4:
        raise ValueError("an IPv4 target in an IPv6 scan; scan it separately, without -6")
    return Octets(expression, octets if bits is None else apply_mask(octets, bits))


def _check_text(expression: str) -> None:
    """Raises: ValueError: text that is not a target in any notation."""
    if len(expression) > MAX_TARGET_CHARS:
        excess = f"{len(expression)} characters are more than {MAX_TARGET_CHARS}"
        raise ValueError(f"{excess}: split the list")
    hint = suggest_punycode(expression)
    if hint:
        raise ValueError(hint)
    if not expression or not all("!" <= char <= "~" for char in expression):
        rule = "a target is one word of printable ASCII"
        raise ValueError(f"{rule}; give each target an entry of its own")
    if "://" in expression:
        raise ValueError("a URL is not a target; name its host only")
    with_port = compile_pattern(WITH_PORT).fullmatch(expression)
    if with_port:
        host = with_port["host"].strip("[]")
        raise ValueError(f"only targets of a scan may have ports of their own; write {host}")


def _split_mask(expression: str, width: int) -> tuple[str, int | None]:
    host, slash, text = expression.rpartition("/")
    if not slash:
        return expression, None
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > width:
        raise ValueError(f"a netmask is a number from 0 to {width} after the last slash")
    return host, int(text)


def _parse_octets(host: str) -> tuple[Octet, Octet, Octet, Octet] | None:
    texts = host.split(".")
    if len(texts) != OCTETS:
        return None
    octets = [_parse_octet(text) for text in texts]
    a, b, c, d = octets
    return None if a is None or b is None or c is None or d is None else (a, b, c, d)


def _parse_octet(text: str) -> Octet | None:
    """The values of `*`, or of a comma list of N, N-M, N-, -M and -. None: it is not an octet."""
    if text == "*":
        return tuple(range(256))
    values: set[int] = set()
    for item in dict.fromkeys(text.split(",")):
        match = compile_pattern(ITEM).fullmatch(item)
        if not match or not item:
            return None
        _refuse_octal(match["low"], match["high"])
        low = int(match["low"] or 0)
        high = int(match["high"] or MAX_OCTET) if match["dash"] else low
        if not low <= high <= MAX_OCTET:
            return None
        values.update(range(low, high + 1))
    return tuple(sorted(values))


def _refuse_octal(*numbers: str) -> None:
    for number in numbers:
        if len(number) > 1 and number.startswith("0"):
            readings = f"{number} reads as octal to some and as decimal to nmap"
            raise ValueError(f"{readings}; write it without leading zeros")


def _check_name(host: str) -> str:
    """The name in lower case.

    A single label keeps the root's dot: without it the resolver would add the search domains of
    resolv.conf. A longer name is always looked up as it is, so its dot is removed.
    """
    labels = host.removesuffix(".").split(".")
    top_label = labels[-1]
    is_number = not re.search("[A-Za-z]", top_label) or compile_pattern(HEXADECIMAL).fullmatch(top_label)
    if top_label and is_number:
        rule = "an IPv4 address is written in full, as in 127.0.0.1"
        raise ValueError(f"not four octets from 0 to 255; {rule}")
    if len(host) > MAX_NAME_CHARS or not all(compile_pattern(LABEL).fullmatch(label) for label in labels):
        raise ValueError("neither an address, nor a range of addresses, nor a host name")
    dot = "." if len(labels) == 1 and host.endswith(".") else ""
    return ".".join(labels).lower() + dot


def _parse_network6(expression: str, family: int) -> Network6:
    host, bits = _split_mask(expression, 128)
    address, percent, zone = host.partition("%")
    number = parse_ipv6(address)
    if number is None or (percent and not compile_pattern(ZONE).fullmatch(zone)):
        raise ValueError("not an IPv6 address, as in 2001:db8::1 or 2001:db8::/64")
    if family != IPV6:
        raise ValueError("an IPv6 target needs -6 among the parameters")
    if number in MAPPED:
        raise ValueError("an embedded IPv4 address; name the IPv4 address itself, without -6")
    if percent and number >> 118 != 0xFE80 >> 6:
        raise ValueError("a zone is allowed for link-local addresses, fe80::/10, only")
    return build_network6(expression, number, 128 if bits is None else bits, zone)


def shorten_expression(expression: str) -> str:
    """The expression in quotes as a sentence shows it: printable, at most SHOWN_CHARS characters."""
    is_short = len(expression) <= SHOWN_CHARS
    return repr(expression if is_short else expression[:SHOWN_CHARS] + "...")
