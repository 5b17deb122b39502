"""Findings as text are the findings, encoded."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.generated_reports import SHAPES
from benchmarks.generated_reports import generate_report as generated
from cascan.cache import BoundedCache
from cascan.findings import build_findings
from cascan.findings.encoded.cache import EncodedFindingCache
from cascan.findings.encoded.lines import encode_finding_lines, line_of, lines_of
from cascan.findings.ports import CATEGORIES
from cascan.ids import NAMESPACE, derive_finding_id, derive_fingerprint, encode_id_fields, scan_hash
from cascan.model.host import Address, Host, Hostname, Port, Script, Service
from cascan.nmap.report.read import read_report
from tests.data.reports import ODDITIES, REAL, hosts

SCAN = "a" * 16
NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)

texts = st.text(max_size=8)
ports = st.builds(
    Port,
    protocol=st.sampled_from(["tcp", "udp", 'a"b\\']),
    number=st.integers(0, 65_535),
    state=st.sampled_from([*CATEGORIES, "closed", "odd"]),
    reason=texts,
    reason_ttl=st.none() | st.integers(0, 255),
    service=st.none() | st.builds(Service, name=texts, product=texts, tunnel=st.sampled_from(["", "ssl"])),
    scripts=st.lists(st.builds(Script, id=st.sampled_from(["banner", "ftp-anon", "x"]), output=texts), max_size=2).map(
        tuple
    ),
)
made_up = st.builds(
    Host,
    state=st.sampled_from(["up", "up", "up", "down"]),
    addresses=st.lists(
        st.builds(
            Address, addr=st.sampled_from(["192.0.2.1", "2001:db8::1", '"']), kind=st.sampled_from(["ipv4", "mac"])
        ),
        max_size=2,
    ).map(tuple),
    hostnames=st.lists(st.builds(Hostname, name=texts, kind=st.sampled_from(["user", "PTR"])), max_size=2).map(tuple),
    ports=st.lists(ports, max_size=4).map(tuple),
)


def encoded(host: Host) -> bytes:
    return b"".join(msgspec.json.encode(finding) + b"\n" for finding in build_findings(host, SCAN, NOW))


@pytest.mark.parametrize("name", [*REAL, *ODDITIES])
def test_the_lines_of_a_host_are_its_findings_encoded(name: str) -> None:
    for host in [*hosts(name), *hosts(name)]:
        assert encode_finding_lines(host, SCAN, NOW) == encoded(host)


@pytest.mark.parametrize("name", [*REAL, *ODDITIES])
def test_a_line_goes_by_the_id_severity_and_category_of_its_finding(name: str) -> None:
    for host in [*hosts(name), *hosts(name)]:
        assert lines_of(host, SCAN, NOW) == [line_of(finding) for finding in build_findings(host, SCAN, NOW)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_line_of_scripts_that_hosts_share_goes_by_its_own_severity(shape: str) -> None:
    for host in read_report(io.BytesIO(b"".join(generated(200, shape)))):
        assert lines_of(host, SCAN, NOW) == [line_of(finding) for finding in build_findings(host, SCAN, NOW)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_lines_of_a_generated_report_are_its_findings_encoded(shape: str) -> None:
    for host in read_report(io.BytesIO(b"".join(generated(200, shape)))):
        assert encode_finding_lines(host, SCAN, NOW) == encoded(host)


@settings(max_examples=200, deadline=None)
@given(made_up)
def test_the_lines_of_any_host_are_its_findings_encoded(host: Host) -> None:
    assert encode_finding_lines(host, SCAN, NOW) == encoded(host)


def test_a_name_from_the_request_stands_in_the_lines_as_in_the_findings() -> None:
    host = hosts("versions")[0]
    names = {host.address: "asked.example"}
    expected = b"".join(msgspec.json.encode(f) + b"\n" for f in build_findings(host, SCAN, NOW, names))
    assert encode_finding_lines(host, SCAN, NOW, names) == expected
    assert b"tcp://asked.example:" in expected


def test_findings_of_scripts_are_shared_by_hosts_asked_for_by_address_alone() -> None:
    (host,) = hosts("scripts")
    other = msgspec.structs.replace(host, addresses=(Address("192.0.2.9", "ipv4"),))
    named = msgspec.structs.replace(host, hostnames=(Hostname("other.example", "user"),))
    for seen in (host, other, named, other, named, host):
        assert encode_finding_lines(seen, SCAN, NOW) == encoded(seen)
    later = NOW.replace(year=2030)  # the certificate is out of date then
    expected = b"".join(msgspec.json.encode(finding) + b"\n" for finding in build_findings(other, SCAN, later))
    assert encode_finding_lines(other, SCAN, later) == expected != encoded(other)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_id_of_a_finding_is_a_uuid_of_version_5(scan_id: str, fingerprint: str) -> None:
    assert derive_finding_id(scan_id, fingerprint) == str(uuid5(NAMESPACE, f"{scan_id}/{fingerprint}"))


@given(st.text(max_size=40), st.lists(st.text(max_size=9), min_size=1, max_size=4))
def test_ids_of_a_line_are_those_of_the_finding(scan_id: str, about: list[str]) -> None:
    fingerprint = derive_fingerprint(*about)
    fields = encode_id_fields(scan_hash(scan_id), "\x1f".join(about).encode())
    assert fields.decode() == f'{{"id":"{derive_finding_id(scan_id, fingerprint)}","fingerprint":"{fingerprint}'


def caches_of(shared: EncodedFindingCache) -> tuple[BoundedCache[Any, Any], ...]:
    return shared._ports, shared._starts, shared._scripts


def test_what_is_kept_of_ports_and_scripts_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan.findings.encoded.cache.MAX_ENCODED_FINDINGS_BYTES", 20_000)
    shared = EncodedFindingCache(NOW)
    monkeypatch.setattr("cascan.findings.encoded.lines.cache_for", lambda _: shared)
    for host in read_report(io.BytesIO(b"".join(generated(200, "unlike")))):
        assert encode_finding_lines(host, SCAN, NOW) == encoded(host)
        assert max(len(kept) for kept in caches_of(shared)) <= 20_000 / 400
        assert all(kept.weight <= 20_000 for kept in caches_of(shared))
    assert any(caches_of(shared))


def test_a_long_script_of_a_closed_port_is_not_kept() -> None:
    shared = EncodedFindingCache(NOW)
    for number in range(3):
        script = Script("x", "y" * 600_000)
        port = Port(protocol="tcp", number=number, state="closed", scripts=(script,))
        for _ in range(3):
            shared.get_port_templates((port,))
    assert sum(kept.weight for kept in caches_of(shared)) <= 2_000_000
