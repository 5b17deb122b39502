"""The reader and writer of a results JSON: what is not ours stays, whatever the file holds."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.findings.to_json import to_json
from cascan.limits import MAX_VULS_LISTENERS, MAX_VULS_RESULTS_BYTES, MAX_VULS_WARNINGS
from cascan.model.finding import Severity
from cascan.vuls.destinations import find_places
from cascan.vuls.reachability import PortStates, judge_listeners
from cascan.vuls.results import VulsResults
from cascan.vuls.summary import build_findings, enrich, summarize, to_document
from tests.support.builders import NOW

DATA = Path("tests/data/vuls")
NAMES = [
    "serverName",
    "packages",
    "AffectedProcs",
    "affectedprocs",
    "listenPortStats",
    "listenPorts",
    "bindAddress",
    "port",
    "portReachableTo",
    "ipv4Addrs",
    "ipv6Addrs",
    "warnings",
    "container",
    "name",
    "pid",
    "scannedCves",
    "affectedPackages",
    "cveContents",
    "cvss3Score",
    "title",
    "x",
]
TEXTS = (
    "",
    "*",
    "[::]",
    "[::1]",
    "10.0.0.5",
    "fe80::1%eth0",
    "80",
    "65536",
    "٣",
    "*:80",
    "a:b",
    "web",
    "\x00",
    "é\u2028",
)


def enrich_all(data: bytes) -> bytes:
    results = VulsResults(data)
    places = find_places(results, is_local=False)
    asked = places.destinations(results.listeners)
    states = {(address, port): "open" for address, ports in asked.items() for port in ports}
    answers = judge_listeners(results, places, PortStates(states))
    summary = summarize(results, answers)
    to_document(summary, list(map(to_json, build_findings(summary, ["a" * 16], NOW))))
    return enrich(results, answers, summary.warnings)


def without_answers(value: Any) -> Any:
    """The document without what the copy may change, as lists of pairs: the order counts."""
    if isinstance(value, dict):
        skipped = ("portreachableto", "warnings")
        return [(key, without_answers(entry)) for key, entry in value.items() if key.lower() not in skipped]
    return [without_answers(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["web.json", "shop@web.json", "damaged.json"])
def test_the_copy_differs_in_port_reachable_to_and_warnings_alone(name: str) -> None:
    data = (DATA / name).read_bytes()
    copy = enrich_all(data)
    assert copy != data
    assert without_answers(json.loads(copy)) == without_answers(json.loads(data))


def test_values_that_are_not_ours_are_written_back_byte_by_byte() -> None:
    data = (DATA / "web.json").read_text()
    foreign = re.search(r'"aFutureKey": (\{.*\}),', data)
    assert foreign
    assert foreign[1] in enrich_all(data.encode()).decode()


def test_a_copy_that_is_enriched_again_is_the_same_copy() -> None:
    once = enrich_all((DATA / "web.json").read_bytes())
    assert enrich_all(once) == once


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"serverName": "a"', "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b'{"serverName": ' + b"[" * 100_000 + b"}", "not a JSON object"),
        (b'{"serverName": "\xff"}', "no serverName"),
        (b"{}", "no serverName"),
        (b'{"serverName": 7}', "no serverName"),
        (b" " * (MAX_VULS_RESULTS_BYTES + 1), "bytes are more than"),
    ],
)
def test_what_is_not_a_results_file_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RequestRefused, match=reason):
        VulsResults(data)


def test_too_many_listeners_are_refused() -> None:
    entries = [{"bindAddress": "*", "port": "80"}] * (MAX_VULS_LISTENERS + 1)
    document = {"serverName": "a", "packages": {"p": {"AffectedProcs": [{"listenPortStats": entries}]}}}
    with pytest.raises(RequestRefused, match="listening ports"):
        VulsResults(json.dumps(document).encode())


def test_many_warnings_are_counted() -> None:
    entries = [{"bindAddress": "*", "port": f"x{number}"} for number in range(1_000)]
    document = {"serverName": "a", "packages": {"p": {"AffectedProcs": [{"listenPortStats": entries}]}}}
    warnings = json.loads(enrich_all(json.dumps(document).encode()))["warnings"]
    assert (len(warnings), warnings[-1]) == (MAX_VULS_WARNINGS, f"and {1_000 - MAX_VULS_WARNINGS + 1} more warnings")


def test_ten_megabytes_are_read_and_written() -> None:
    document = json.loads((DATA / "web.json").read_bytes())
    cve = document["scannedCves"]["CVE-2026-1001"] | {"references": ["https://example.org/" + "x" * 1_000] * 5}
    document["scannedCves"] |= {f"CVE-2025-{number}": cve for number in range(10_000, 12_000)}
    data = json.dumps(document).encode()
    assert len(data) > 10_000_000
    copy = json.loads(enrich_all(data))
    assert without_answers(copy) == without_answers(document)


def test_a_finding_for_each_cve_whose_process_answers() -> None:
    results = VulsResults((DATA / "web.json").read_bytes())
    places = find_places(results, is_local=False)
    answers = judge_listeners(results, places, PortStates({("10.0.0.5", 22): "open", ("10.0.0.6", 443): "open"}))
    high, unrated = build_findings(summarize(results, answers), ["a" * 16, "b" * 16], NOW)
    assert (high.name, high.category, high.severity, high.location) == (
        "CVE-2026-1001",
        "Reachable Vulnerability",
        Severity.HIGH,
        "tcp://10.0.0.5:22",
    )
    assert high.attributes["packages"] == ["openssh-server"]
    assert (unrated.severity, unrated.attributes["cvss"]) == (Severity.INFORMATIONAL, None)
    assert unrated.attributes["locations"] == ["tcp://10.0.0.6:443", "tcp://10.0.0.5:22"]
    (again, _) = build_findings(summarize(results, answers), ["c" * 16], NOW)
    assert (again.fingerprint, again.id == high.id) == (high.fingerprint, False)


def random_value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 5)
    if kind == 0:
        return chance.choice(TEXTS)
    if kind == 1:
        return chance.choice([None, True, 0, -1, 3.5, 2**70])
    if kind <= 4:
        return chance.choice(TEXTS)
    if kind == 5:
        return [random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES): random_value(chance, depth - 1) for _ in range(chance.randrange(6))}


@pytest.mark.parametrize("seed", range(20))
def test_random_json_is_refused_or_copied_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that repeats
    for _ in range(100):
        process = random_value(chance, 3)
        packages = {"p": {"AffectedProcs": [process, random_value(chance, 2)]}, "q": random_value(chance, 4)}
        document = {"serverName": "web", "ipv4Addrs": ["10.0.0.5"], "packages": packages}
        document |= {chance.choice(NAMES): random_value(chance, 5) for _ in range(3)}
        data = json.dumps(document).encode()
        try:
            copy = json.loads(enrich_all(data))
        except RequestRefused:
            continue
        assert list(copy)[: len(document)] == list(document)


@pytest.mark.parametrize("seed", range(5))
def test_a_file_that_is_cut_or_has_flipped_bytes_is_refused_or_copied(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that repeats
    original = (DATA / "web.json").read_bytes()
    for _ in range(50):
        data = bytearray(original)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        try:
            enrich_all(cut)
        except RequestRefused:
            continue
