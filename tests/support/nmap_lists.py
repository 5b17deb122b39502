"""Lists of nmap's options at random, from a model of every option: for comparisons with the real nmap.

A list is made from a seed. Its options come from cascan's own table, in any spelling that nmap's getopt may take:
abbreviated, with one dash or two, glued to the value, with `=`. Values are usual, at a border, or wrong.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from random import Random

from cascan.nmap.options.table import Decision, Option, Takes, option_table

MAX_OPTIONS = 5
SHORT_LENGTH = len("-x")
# nmap ends at one of these, and looks at no option behind it
ENDS_NMAP = frozenset(
    shlex.split("--help --iflist --resume --route-dst --script-help --script-updatedb --thc --version -V -h")
)
NUMBERS = """0 1 2 5 8 16 50 100 255 256 1000 1400 65535 65536 007 -1 +5 0x10 1e3 1.5 99999 2147483648 4294967296 abc
    5x nan inf '' ' 5'"""
TIMES = """1 1s 100ms 5m 1h 0 1.5s 30m 99h -1s 5x 5ss abc '' 1e3ms 0x10 10000 120 50 49 50ms 9999999ms nan 99 1S"""
PORTS = """22 80 0 65535 65536 22-25 25-22 - -100 60000- http ssh domain nosuch http-alt Http http* h?tp [1-100] [http]
    [1 1] '' snmp isakmp tcp ms-wbt-server 22- 007 '22 ' ' 22' 1-2-3 https 22/tcp x 256 6 icmp udp 0-0 [0] [49151] [6]
    sSh 00000000022 [-] [22-25]"""
DECOYS = "ME RND RND:1 RND:3 RND:0 RND:999 RND:-1 RND:126 RND:127 RND:x me rnd 127.0.0.2 127.0.0.3 ::1 127.0.0 ''"
MACS = """0 Apple apple Cisco Dell nosuchvendor 00 001122 00:11:22:33:44:55 00-11-22 0:1 00:11:22:33:44:55:66 0011223
    'Intel Corporate' GG:11 00.11 '' D-Link 3Com abc 11:22:33:44:55:66 a1b2c3 AA F 001122334455667788 Face"""
FLAGS = """SYN SYNFIN synfin URGACKPSHRSTSYNFIN ECECWR 0 2 255 256 -1 XYZ '' 0x12 SYN,FIN 1x ALL NONE SYNX"""
IP_OPTIONS = r"""R T U 'S 127.0.0.1' 'L 127.0.0.1 127.0.0.2' S L 'S ' X '' '\x01\x07\x04\x00' '\x01' '\x01*4' '\x01*44'
    '\255\7' 'R T' r 'S 1.2.3' 'S 127.0.0.1 x' '\xzz' 'S 256.1.1.1' 'L 127.0.0.1,127.0.0.2' 'S  127.0.0.1'"""
BYTES = r"""00 0xdeadbeef deadbeef '\xde\xad' abc 0x '' zz 0xabc '\xd' DEADBEEF '\xdead' 0XAB 'de ad'"""
SCRIPTS = """banner http-title banner,http-title address-info nosuch default 'safe and not http-*' '' +banner http-titl*
    banner.nse not '(banner' 'ssh-hostkey or banner' BANNER Default"""
SCRIPT_ARGS = "http.useragent=x a=b a '' a={b=c} 'a={b' 'a=b}' a=b=c \"'x'=1\" =b a=,b http.host=x"
TIMINGS = "0 1 2 3 4 5 6 -1 44 sneaky Sneaky INSANE polite nosuch '' para 4x"
RATIOS = "0.1 .5 0.484 1 1.0 0 1.1 -1 abc 0.99 '' 0.001 1e-2 nan"
TEXTS = r"hello 'a b' '' -x %s '\x00' " + "x" * 400 + " " + "x" * 1_500
ODD = """--nosuch -sQ -PQ -s -P -Z --no - -sSV -sTU -sUV -nF -Fn --min -s=V -sC=x -p -: -AF -vv -vd -vvb -4n6 -PB -PEx
    -sn -sL -6 -Pn -f --mtu=8 -T0 -sO"""
HOPS = ["127.0.0.1"] * 9
LETTERS = ("", "", "", "", "T:", "U:", "S:", "P:", "X:", "t:", "T:U:")
VERBOSITIES = "'' v vv 1 9 10 0 d vd vb x -1 1v 99"
Values = Callable[[Random], str]


def _likely(values: str, likely: int, more: Sequence[str] = ()) -> Values:
    """One of the first few three times out of five, so that lists with several values are valid now and then."""
    choices = [*shlex.split(values), *more]
    return lambda random: random.choice(choices[:likely] if random.random() < 0.6 else choices)


def _ports(random: Random) -> str:
    items = [random.choice(LETTERS) + random.choice(PORT_ITEMS) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return ",".join(items) + random.choice(("", "", "", "", ","))


def _decoys(random: Random) -> str:
    if random.random() < 0.05:
        return ",".join(f"127.0.0.{1 + number % 250}" for number in range(random.choice((126, 127, 128, 200))))
    return ",".join(random.choice(DECOY_ITEMS) for _ in range(random.choice((1, 1, 2, 3))))


PORT_ITEMS, DECOY_ITEMS = shlex.split(PORTS), shlex.split(DECOYS)
VALUES: dict[str, Values] = {  # the kind of value, as in the table, or an option's name
    "bytes": _likely(BYTES, 4, ["0x" + "ab" * 700, "ab" * 1_500, r"\x01" * 350]),
    "decoys": _decoys,
    "delay": _likely(TIMES, 4),
    "engine": _likely("epoll poll select kqueue iocp nosuch '' Epoll", 3),
    "flags": _likely(FLAGS, 8),
    "intensity": _likely(NUMBERS, 4),
    "ip-options": _likely(IP_OPTIONS, 5, ["S " + " ".join(HOPS[:8]), "L " + " ".join(HOPS), "S " + " ".join(HOPS)]),
    "mac": _likely(MACS, 5),
    "nothing": _likely("'' x 2 1", 4),
    "ping-ports": _ports,
    "ports": _ports,
    "protocols": _ports,
    "ratio": _likely(RATIOS, 3),
    "rtt": _likely(TIMES, 4),
    "script": _likely(SCRIPTS, 3),
    "script-args": _likely(SCRIPT_ARGS, 3),
    "text": _likely(TEXTS, 2),
    "timeout": _likely(TIMES, 5),
    "timing": _likely(TIMINGS, 6),
    "--debug": _likely(VERBOSITIES, 20),
    "--exclude": _likely("127.0.0.9 127.0.0.8/31 127.0.0.9,127.0.0.8 127.0.0.999 '' ::2 127.0.0.8-9", 3),
    "--stats-every": _likely(TIMES, 5),
    "-S": _likely("127.0.0.1 127.0.0.2 ::1 127.1 ''", 3),
    "-d": _likely(VERBOSITIES, 20),
    "-e": _likely("lo", 1),
    "-v": _likely(VERBOSITIES, 20),
}
NUMBER, FILE = _likely(NUMBERS, 8), _likely("out '' -", 1)


def option_list(seed: int) -> list[str]:
    """The same seed gives the same list, without targets."""
    random = Random(seed)  # noqa: S311  # no secret is made of it
    words: list[str] = []
    for _ in range(random.randint(1, MAX_OPTIONS)):
        words += _option(random)
    if random.random() < 0.1:
        words += _option(random, again=words[0])
    return words


def _option(random: Random, again: str = "") -> list[str]:
    """The words of one option; of the same option as `again`, if that is the name of one."""
    rows = option_table().rows()
    row = next((row for row in rows if row.name == again), None) or random.choice(rows)
    if row.decision is Decision.REFUSE and random.random() < 0.85:
        row = random.choice(rows)  # what is refused anyway shows nothing of the rest of its list
    if random.random() < 0.05:
        return [random.choice(shlex.split(ODD))]
    value = None
    if row.takes is Takes.REQUIRED or (row.takes is Takes.OPTIONAL and random.random() < 0.6):
        default = FILE if row.decision is Decision.REFUSE else NUMBER
        value = VALUES.get(row.name, VALUES.get(row.value, default))(random)
    return _spelled(row, value, random)


def _spelled(row: Option, value: str | None, random: Random) -> list[str]:
    if len(row.name) == SHORT_LENGTH:
        apart = value is not None and row.takes is Takes.REQUIRED and random.random() < 0.5
        return [row.name, value or ""] if apart else [row.name + (value or "")]
    if not row.name.startswith("--"):  # -sS, -PS22
        return [row.name + (value or "")]
    name = row.name
    if random.random() < 0.2:
        name = name[: random.randint(min(6, len(name)), len(name))]  # an abbreviation, perhaps of several
    if random.random() < 0.15:
        name = name[1:]
    if value is None:
        return [name + "=x"] if random.random() < 0.02 else [name]
    return [f"{name}={value}"] if row.takes is Takes.OPTIONAL or random.random() < 0.4 else [name, value]
