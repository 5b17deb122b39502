"""An examiner of command lines that shares nothing with cascan: getopt_long_only as glibc documents it, and
nmap's tables copied out by hand from the source of nmap 7.93 (nmap.cc, parse_options).

It answers one question: would nmap, given these words, do more than scan?
"""

from __future__ import annotations

from collections.abc import Sequence


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


NO_VALUE = _listed(
    """
    version verbose help iflist release-memory nogcc open defeat-rst-ratelimit defeat-icmp-ratelimit
    randomize-hosts discovery-ignore-rst osscan-limit osscan-guess fuzzy packet-trace version-trace send-eth
    send-ip no-stylesheet webxml rH vv ff privileged unprivileged append-output noninteractive thc badsum
    traceroute reason allports version-light version-all system-dns resolve-all unique log-errors
    deprecated-xml-osclass script-trace script-updatedb adler32 disable-arp-ping yoloscan
    """
)
WITH_VALUE = _listed(
    """
    datadir servicedb versiondb max-os-tries max-parallelism min-parallelism timing max-rtt-timeout
    min-rtt-timeout initial-rtt-timeout excludefile exclude max-hostgroup min-hostgroup scanflags host-timeout
    scan-delay max-scan-delay max-retries oA oN oM oG oS oH oX iL iR sI source-port nsock-engine proxies proxy
    data data-string data-length stylesheet mtu spoof-mac ttl version-intensity dns-servers port-ratio
    exclude-ports top-ports script script-args script-args-file script-help script-timeout ip-options min-rate
    max-rate stats-every route-dst resume
    """
)
OPTIONAL_VALUE = ["debug"]
LONG = dict.fromkeys(NO_VALUE, 0) | dict.fromkeys(WITH_VALUE, 1) | dict.fromkeys(OPTIONAL_VALUE, 2)
SHORT = "46Ab:D:d::e:Ffg:hIi:M:m:nO::o:P::p:qRrS:s::T:Vv::y"

DANGEROUS_LONG = _listed(
    """
    version help iflist nogcc packet-trace version-trace send-eth stylesheet webxml append-output thc badsum
    allports deprecated-xml-osclass script-trace script-updatedb yoloscan datadir servicedb versiondb
    excludefile exclude scanflags oA oN oM oG oS oH oX iL iR sI source-port proxies proxy data data-string
    data-length mtu ff spoof-mac ttl dns-servers script-args-file script-help ip-options route-dst resume debug
    privileged unprivileged
    """
)
DANGEROUS_SHORT = frozenset("bDdefghiImoqSVy")
RAW_SCANS = frozenset("AFIMNOSUWXYZ")
RAW_PINGS = frozenset("BEIMOPRUY")
RAW_LONG = _listed(
    """
    max-os-tries defeat-rst-ratelimit osscan-limit osscan-guess fuzzy send-ip traceroute adler32
    """
)
DANGEROUS_TEXT = ("/etc", "/tmp", "/proc", "~", "..", "\\", "\x00", "\n", "newtargets", ".nse")
EVERYWHERE = frozenset("CLPRTVn")  # letters of -s


def dangers(words: Sequence[str], *, raw: bool) -> list[str]:
    """Everything in `words` that nmap would do beyond scanning; raw sockets count unless `raw`."""
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return found + [f"target {left}" for left in rest]
        if not word.startswith("-") or word == "-":
            found.append(f"target {word}")
        else:
            found += _option(word, rest, raw)
    return found


def _option(word: str, rest: list[str], raw: bool) -> list[str]:
    double = word.startswith("--")
    name, equals, value = word.lstrip("-").partition("=") if double else word[1:].partition("=")
    letter = _letter(word[1])
    if double or len(word) > 2 or letter is None:
        matches = [name] if name in LONG else [known for known in LONG if name and known.startswith(name)]
        if len(matches) == 1:
            return _long(matches[0], value if equals else None, rest, raw)
        if double or len(matches) > 1 or letter is None:
            return [f"nmap stops at {word}"]
    return _cluster(word[1:], rest, raw)


def _letter(letter: str) -> int | None:
    """How many colons stand after the letter in getopt's string; None: it is no option."""
    at = SHORT.find(letter)
    if at < 0 or letter == ":":
        return None
    colons = SHORT[at + 1 : at + 3]
    return 2 if colons == "::" else int(colons.startswith(":"))


def _long(name: str, value: str | None, rest: list[str], raw: bool) -> list[str]:
    found = []
    if LONG[name] == 0 and value is not None:
        found.append(f"nmap stops at --{name}={value}")
    if LONG[name] == 1 and value is None:
        if not rest:
            return [f"--{name} takes the worker's next word"]
        value = rest.pop(0)
    if name in DANGEROUS_LONG or (name in RAW_LONG and not raw):
        found.append(f"--{name}")
    return found + _text(name, value)


def _cluster(letters: str, rest: list[str], raw: bool) -> list[str]:
    for index, letter in enumerate(letters):
        takes = _letter(letter)
        if takes is None:
            return [f"nmap stops at -{letter}"]
        after: str | None = letters[index + 1 :] or None
        if takes == 1 and after is None:
            if not rest:
                return [f"-{letter} takes the worker's next word"]
            after = rest.pop(0)
        if letter in DANGEROUS_SHORT or (letter == "O" and not raw) or letter == "A":
            return [f"-{letter} in -{letters}"]
        if takes:
            return _kinds(letter, after or "", raw) + _text(letter, after)
    return []


def _kinds(letter: str, kinds: str, raw: bool) -> list[str]:
    if letter == "s":
        allowed = EVERYWHERE | (RAW_SCANS - {"I"} if raw else frozenset())
        return [f"-s{kind}" for kind in kinds if kind not in allowed] + ([] if kinds else ["-s"])
    if letter == "P" and not raw:
        return [f"-P{kinds}"] if not kinds or kinds[0] in RAW_PINGS else []
    return []


def _text(name: str, value: str | None) -> list[str]:
    text = (value or "").lower()
    bad = [part for part in DANGEROUS_TEXT if part in text]
    if text.startswith("/") or (name in ("script", "p") and "/" in text):
        bad.append("/")
    return [f"{name} {value!r} holds {part!r}" for part in bad]
