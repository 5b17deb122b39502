"""Random reports, read quickly, read by the XML parser, and read by an independent model: all three agree."""

from __future__ import annotations

import io
from typing import Any
from xml.etree.ElementTree import XML, ParseError

import msgspec
import pytest

from cascan.model.host import Host, Node, Script
from cascan.nmap.report.read import read_report
from cascan.nmap.report.tree.host import TEXT_ATTRIBUTE
from cascan.nmap.report.write.report import render_item
from tests.support.report_model import Writer, facts_of, model_of, random_report
from tests.unit.cascan.nmap.report.test_fast import by_parser


def like_the_model(host: Host) -> dict[str, Any]:
    """The host in the model's form."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(host))
    plain["scripts"] = [script_like_the_model(script) for script in host.scripts]
    for port, data in zip(host.ports, plain["ports"], strict=True):
        data["scripts"] = [script_like_the_model(script) for script in port.scripts]
        del data["reason_ip"], data["owner"]
        for name in ("proto", "rpcnum", "lowver", "highver", "banner"):
            if data["service"]:
                del data["service"][name]
    for name in ("os_matches", "comment", "started_at", "finished_at"):
        del plain[name]
    plain["details"] = {tag: [detail_like_the_model(row) for row in rows] for tag, rows in host.details.items()}
    return plain


def script_like_the_model(script: Script) -> dict[str, Any]:
    pieces = [node_like_the_model(node) for node in script.nodes] if script.nodes else data_like_the_model(script.data)
    return {"id": script.id, "output": script.output, "pieces": pieces}


def node_like_the_model(node: Node) -> Any:
    if node.kind == "text":
        return node.text
    return node.kind, node.key or None, node.text if node.kind == "elem" else [*map(node_like_the_model, node.children)]


def data_like_the_model(data: Any) -> list[Any]:
    pairs = data.items() if isinstance(data, dict) else [(None, value) for value in data or ()]
    return [
        ("elem", key, value) if isinstance(value, str) else ("table", key, data_like_the_model(value))
        for key, value in pairs
    ]


def detail_like_the_model(row: dict[str, Any]) -> Any:
    names = {TEXT_ATTRIBUTE: "text"}
    attributes = {
        names.get(name, name): value for name, value in row.items() if isinstance(value, str) and name != "text"
    }
    text = row.get("text", "")
    inner = {tag: [*map(detail_like_the_model, rows)] for tag, rows in row.items() if isinstance(rows, list)}
    return attributes, text if isinstance(text, str) else "", inner


CLASH = "An element called as an attribute beside it was left out."


def check(data: bytes) -> bool:
    """Whether the report was well-formed; then all agree on it."""
    reader = read_report(io.BytesIO(data))
    found = list(reader)
    assert (found, reader.warnings) == by_parser(data)
    try:
        expected = model_of(data)
    except ParseError:
        assert not reader.complete
        return False
    if expected is None or any("damaged" in warning for warning in reader.warnings):
        assert reader.warnings
        return True
    if CLASH not in reader.warnings:
        assert [like_the_model(host) for host in found] == expected
    if not reader.warnings:
        written = XML(f"<r>{''.join(map(render_item, found))}</r>")
        assert not facts_of(XML(data).iterfind("host")) - facts_of(written)
    return True


@pytest.mark.soak(few=600, many=60_000, at_once=300)
def test_both_readings_and_an_independent_model_agree_on_any_report(seeds: range) -> None:
    for seed in seeds:
        data = random_report(seed)
        try:
            check(data)
        except AssertionError as exc:
            raise AssertionError(f"seed {seed}: {data.decode()}") from exc


def test_random_reports_are_mostly_as_nmap_writes_them() -> None:
    reports = [random_report(seed) for seed in range(200)]
    clean = [data for data in reports if not read_report_warnings(data)]
    assert len(clean) > 80
    assert sum(data.count(b"</host>") for data in reports) > 200
    assert any(Writer(seed).oddity > 0 for seed in range(20))


def read_report_warnings(data: bytes) -> tuple[str, ...]:
    reader = read_report(io.BytesIO(data))
    assert list(reader) is not None
    return reader.warnings
