"""The quick reading of hosts gives what the XML parser gives, or says that it cannot tell."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.generated_reports import SHAPES
from benchmarks.generated_reports import generate_report as generated
from cascan.model.host import Host
from cascan.nmap.report import item_stream as body
from cascan.nmap.report.fast.host import FastHostReader
from cascan.nmap.report.fast.script import UnusualMarkup
from cascan.nmap.report.read import read_report
from tests.data.reports import ODDITIES, REAL, report


def by_parser(data: bytes) -> tuple[list[Host], tuple[str, ...]]:
    """The hosts as the XML parser gives them, without the quick reading."""
    with patch.object(body.ItemStream, "_read_fast", lambda _self, _text: None):
        reader = read_report(io.BytesIO(data))
        return list(reader), reader.warnings


def host_texts(data: bytes) -> Iterator[str]:
    for text in data.decode().split("</host>")[:-1]:
        yield text[text.index("<host") :]


@pytest.mark.parametrize("name", [*REAL, *ODDITIES])
def test_both_readings_of_a_report_are_the_same(name: str) -> None:
    data = report(name)
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_readings_of_a_generated_report_are_the_same(shape: str) -> None:
    data = b"".join(generated(60, shape))
    assert list(read_report(io.BytesIO(data))) == by_parser(data)[0]


@pytest.mark.parametrize("name", ["connect", "versions", "scripts", "udp", "os", "hosts", "ipv6", "ping", "down"])
def test_what_nmap_writes_is_read_quickly(name: str) -> None:
    for text in host_texts(report(name)):
        assert FastHostReader().read(text)


@pytest.mark.parametrize(
    "element",
    [
        '<host><status state="down" reason="none" reason_ttl="0"/>\n<address addr="10.0.0.9" addrtype="ipv4"/>\n',
        '<host><status state="down" reason="a&amp;b" reason_ttl="7"/><address addr="2001:db8::9" addrtype="ipv6"/>',
        '<host><status state="down" reason="" reason_ttl="0"/><address addr="02:00:5E:00:00:01" addrtype="mac"/>',
        '<host><status state="down" reason="x" reason_ttl="0"/><address addr="10.0.0.9" addrtype="ipv4"/><hostnames/>',
        '<host comment="c"><status state="down" reason="x" reason_ttl="0"/><address addr="10.0.0.9" addrtype="ipv4"/>',
    ],
)
def test_both_readings_of_a_host_that_is_down_are_the_same(element: str) -> None:
    data = f"<nmaprun>{element}</host></nmaprun>".encode()
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)


def test_a_piece_read_before_is_not_read_again() -> None:
    quick, (text, _, again) = FastHostReader(), host_texts(report("hosts"))
    assert quick.read(text).ports[0] is quick.read(again).ports[0]


def test_what_scripts_say_is_kept_when_it_came_twice() -> None:
    quick, text = FastHostReader(), next(text for text in host_texts(report("scripts")) if "<script " in text)
    once, twice, thrice = ([port for port in quick.read(text).ports if port.scripts] for _ in range(3))
    assert once == twice == thrice
    assert [port is kept for port, kept in zip(once, twice, strict=True)] == [False] * len(once)
    assert [port is kept for port, kept in zip(twice, thrice, strict=True)] == [True] * len(once)


@pytest.mark.parametrize("between", ["", "\n\n", " <!-- a --> ", "<hosthint><address addr='192.0.2.1'/></hosthint>\n"])
def test_hosts_are_the_same_whatever_stands_between_them(between: str) -> None:
    data = b"".join(generated(8, "alike"))
    assert data.count(b"</host>\n<host starttime=") == 7
    apart = data.replace(b"</host>\n<host ", f"</host>{between}<host ".encode())
    assert list(read_report(io.BytesIO(apart))) == list(read_report(io.BytesIO(data)))


@pytest.mark.parametrize(
    "tail",
    [
        '<uptime seconds="1" lastboot="a &amp; b"/>\n<distance value="3"/>\n',
        '<distance value="3"/>\n<tcpsequence index="1" difficulty="Good luck!" values="A,B"/>\n'
        '<ipidsequence class="All zeros" values="0,0"/>\n<tcptssequence class="1000HZ" values="1,2"/>\n',
        '<uptime seconds="1" lastboot=""/>\n<distance value="3"/>\n'
        '<tcpsequence index="1" difficulty="" values="&lt;"/>\n'
        '<ipidsequence class="" values=""/>\n<tcptssequence class="none returned (unsupported)"/>\n',
        '<trace>\n<hop ttl="1" ipaddr="192.0.2.1" rtt="--"/>\n'
        '<hop ttl="2" ipaddr="192.0.2.2" rtt="1.50" host="a.b"/>\n</trace>\n',
        '<trace port="80" proto="tcp">\n<hop ttl="1" ipaddr="2001:db8::1" host="a &quot;b"/>\n</trace>\n',
        '<trace port="80" proto="tcp">\n<hop ttl="1" rtt="" ipaddr=""/>\n</trace>\n<trace>\n</trace>\n',
        '<smurf responses="2"/>\n<distance value="1"/>\n<distance value="2"/>\n',
    ],
)
def test_both_readings_of_what_follows_the_ports_are_the_same(tail: str) -> None:
    data = report("hosts").replace(b"<times ", f"{tail}<times ".encode())
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)
    assert all(FastHostReader().read(text) for text in host_texts(data))


@pytest.mark.parametrize(
    "service",
    [
        '<service name="http" product="a" version="b" extrainfo="c" hostname="d" ostype="e" devicetype="f" '
        'servicefp="SF-Port80" tunnel="ssl" method="probed" conf="10">'
        "<cpe>cpe:/a:b:c</cpe><cpe>cpe:/o:d</cpe></service>",
        '<service name="" method="table" conf="3"/>',
        '<service name="a" product="b &amp; c" method="probed" conf="10"/>',
        '<service conf="3" name="a" method="table"/>',
        '<service name="rpcbind" proto="rpc" rpcnum="100000" lowver="2" highver="4" method="probed" conf="10"/>',
        "",
    ],
)
def test_both_readings_of_a_service_are_the_same(service: str) -> None:
    state = '<state state="open" reason="syn-ack" reason_ttl="64" reason_ip="192.0.2.1"/>'
    data = report("hosts").replace(
        b"<port ", f'<port protocol="tcp" portid="7">{state}{service}</port>\n<port '.encode(), 1
    )
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)
    assert all(FastHostReader().read(text) for text in host_texts(data))


@pytest.mark.parametrize(
    ("was", "put"),
    [
        ('reason="syn-ack"', 'reason="syn-ack" reason="reset"'),
        ('reason="syn-ack"', "reason='syn-ack'"),
        ('reason="syn-ack"', 'reason="a\nb"'),
        ('reason="syn-ack"', 'reason="&#x1;"'),
        ('reason="syn-ack"', 'reason="&eacute;"'),
        ('reason="syn-ack"', 'reason="&lt"'),
        ("<ports>", "<ports><port\nprotocol='tcp' portid='1'/>"),
        ("</port>", "</port>stray"),
        ("<times ", "stray<times "),
        ('portid="', 'portid="99999'),
        ("</ports>", "</ports><ports></ports>"),
        (' to="', ' to="1" to="'),
        ("</hostnames>", "</hostnames><hostnames></hostnames>"),
        ('addr="127', 'addr="" vendor="127'),
        ('state="open"', 'state=""'),
        ('state="up"', 'state=""'),
        ('endtime="', 'endtime="00" x="'),
        ("<times ", '<times xmlns="a" '),
        ("<times ", '<uptime text="a"/>\n<times '),
        ("<times ", '<trace>\n<hop ttl="1" /></trace>\n<times '),
    ],
)
def test_what_is_written_otherwise_is_left_to_the_parser(was: str, put: str) -> None:
    text = next(host_texts(report("hosts"))).replace(was, put, 1)
    with pytest.raises(UnusualMarkup):
        FastHostReader().read(text)


@pytest.mark.parametrize(
    "body",
    [
        '<elem key="a">1</elem><elem key="b">2</elem>',
        '<elem key="a">1</elem>\nstray\n',
        'stray<elem key="a">1</elem>\n',
        '<elem key="a">1</elem>\n<elem key="a">2</elem>\n',
        '<elem key="a">1</elem>\n<elem>2</elem>\n',
        '<elem key="">1</elem>\n',
        '<table key="a">\n<elem>1</elem>\n',
        "</table>\n<table>\n",
        '<table>\n</table key="a">\n',
        "<elem>a<elem>b</elem></elem>\n",
        "<elem>a > b</elem>\n",
        "<other/>\n",
        "nothing but text",
    ],
)
def test_tables_written_otherwise_are_left_to_the_parser(body: str) -> None:
    with pytest.raises(UnusualMarkup):
        FastHostReader().read(one_script(body))


def one_script(body: str) -> str:
    text = next(host_texts(report("hosts")))
    return text.replace("</port>", f'<script id="x" output="y">{body}</script></port>', 1)


texts = st.text(st.sampled_from("ab<>&\"'-\n\té\xff\u20ac]"), max_size=6)
keys = st.one_of(st.none(), st.sampled_from(["a", "b", "c d", "e&f", ""]))
structures: Any = st.recursive(
    st.tuples(st.just("elem"), keys, texts),
    lambda inner: st.tuples(st.just("table"), keys, st.lists(inner, max_size=4)),
    max_leaves=12,
)


def spelled(text: str) -> str:
    """As nmap spells it."""
    quoted = quoteattr(text.encode().decode("latin-1"), {'"': "&quot;", "'": "&apos;"})[1:-1]
    return "".join(f"&#x{ord(c):x};" if ord(c) > 126 or ord(c) < 32 else c for c in quoted)


def markup(node: Any) -> str:
    kind, key, content = node
    told = "" if key is None else f' key="{spelled(key)}"'
    inner = spelled(content) if kind == "elem" else "\n" + "".join(map(markup, content))
    return f"<{kind}{told}>{inner}</{kind}>\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(structures, max_size=5), texts)
def test_both_readings_of_any_structure_of_a_script_are_the_same(nodes: list[Any], output: str) -> None:
    script = f'<script id="x" output="{spelled(output)}">{"".join(map(markup, nodes))}</script></port>'
    data = report("hosts").replace(b"</port>", script.encode(), 1)
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)
    assert reader.complete


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(["scripts", "os", "hosts", "oddities/structures", "oddities/states"]),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 12),
            st.sampled_from(
                [
                    b"",
                    b"<",
                    b">",
                    b"&",
                    b'"',
                    b"&#x41;",
                    b"&amp;",
                    b"\n",
                    b" ",
                    b"/",
                    b"=",
                    b"a",
                    b"<port ",
                    b"<script ",
                    b"</host>",
                    b"</host>\n<host starttime=",
                    b"</port>\n<port ",
                    b"</ports>",
                ]
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_both_readings_of_a_damaged_report_are_the_same(name: str, edits: list[tuple[float, int, bytes]]) -> None:
    data = report(name)
    start = data.index(b"<host")
    for where, removed, put in edits:
        at = start + int(where * (len(data) - start))
        data = data[:at] + put + data[at + removed :]
    reader = read_report(io.BytesIO(data))
    assert (list(reader), reader.warnings) == by_parser(data)
