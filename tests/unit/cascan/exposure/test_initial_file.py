"""The first file: readable, deterministic, and nothing that a scanned host wrote becomes YAML."""

from __future__ import annotations

from random import Random

import pytest

from cascan.exposure.check import PortLooks, SeenState, check_port
from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.initial_file import OpenHost, render_initial_file
from cascan.exposure.judge import VerdictKind
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.model.inventory import PortKey
from tests.unit.cascan.exposure.test_judge import NOON

SSH: PortKey = ("tcp", 22)
DNS: PortKey = ("udp", 53)


def host(address: str, *keys: PortKey, vantage: str = "default", **fields: str) -> OpenHost:
    service = fields.pop("service", "")
    return OpenHost(address=address, vantage=vantage, ports=dict.fromkeys(keys, service), **fields)


def body(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_host_is_an_entry_with_its_name_as_a_comment() -> None:
    text = render_initial_file([host("10.0.0.1", DNS, SSH, hostname="gate.example.com")], ["default"])
    assert body(text) == [
        "expected:",
        "  # gate.example.com",
        "  - who: 10.0.0.1",
        "    ports: [22, 53/udp]",
    ]


def test_a_host_that_was_scanned_under_a_name_is_written_by_it() -> None:
    hosts = [host(f"10.0.0.{number}", SSH, asked_name="Web.Example.com") for number in (1, 2)]
    assert body(render_initial_file(hosts, ["default"]))[1:3] == ["  # 10.0.0.1, 10.0.0.2", "  - who: web.example.com"]
    hosts[1] = host("10.0.0.2", SSH, DNS, asked_name="Web.Example.com")
    assert "  - who: 10.0.0.1" in body(render_initial_file(hosts, ["default"]))


def test_neighbours_are_folded_and_stay_required() -> None:
    hosts = [host(f"10.0.0.{number}", SSH, service="ssh") for number in (1, 2, 3, 254, 255)]
    hosts += [host("10.0.1.0", SSH, service="ssh"), host("2001:db8::1", SSH, service="ssh")]
    text = render_initial_file(reversed(hosts), ["default"])
    assert '  ssh: {hosts: [10.0.0.1-3, 10.0.0.254, 10.0.0.255, 10.0.1.0, "2001:db8::1"]}' in text
    (entry,) = read_exposure_file(text).entries
    assert (entry.who, entry.service, entry.required) == ("ssh", "ssh", True)
    assert entry.hosts.count_addresses() == len(hosts)


def test_ports_in_a_row_become_a_range() -> None:
    keys: list[PortKey] = [("tcp", number) for number in (80, 81, 8000, 8001, 8002)]
    text = render_initial_file([host("10.0.0.1", *keys)], ["default"])
    assert "    ports: [80, 81, 8000-8002]" in text


@pytest.mark.parametrize("hostile", ["a\n  - who: 0.0.0.0/0", "x: y", "# z", "\x1b[31m", "ü.example", "a" * 300])
def test_a_hostile_name_or_service_adds_nothing(hostile: str) -> None:
    text = render_initial_file(
        [host("10.0.0.1", SSH, hostname=hostile, asked_name=hostile, service=hostile)], ["default"]
    )
    (entry,) = read_exposure_file(text).entries
    assert entry.who == "10.0.0.1"
    assert entry.hosts.count_addresses() == 1
    assert text.isascii()


@pytest.mark.parametrize("word", ["no", "null", "true", "1e3", "a: b", "'", '"', "x#y"])
def test_a_service_that_yaml_would_read_as_something_else_is_quoted(word: str) -> None:
    text = render_initial_file([host("10.0.0.1", SSH, service=word)], ["default"])
    (entry,) = read_exposure_file(text).entries
    assert entry.service in (word, "")
    assert entry.service == word or " " in word


@pytest.mark.parametrize("seed", range(10))
def test_everything_that_is_open_is_expected_and_required_and_nothing_else(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seeded test
    vantages = ["default", "internet", "office"][: random.randint(1, 3)]
    keys: list[PortKey] = [("tcp", number) for number in range(20, 28)] + [DNS]
    choices = [random.sample(keys, random.randint(0, 5)) for _ in range(3)]
    addresses = [*(f"10.0.0.{number}" for number in range(1, 30)), "2001:db8::1", "2001:db8::2"]
    hosts = [host(address, *random.choice(choices), vantage=vantage) for vantage in vantages for address in addresses]
    text = render_initial_file(hosts, vantages)
    random.shuffle(hosts)
    assert render_initial_file(hosts, vantages) == text
    file = read_exposure_file(text)
    assert file.warnings == ()
    index = ExpectationIndex(file)
    for seen in hosts:
        for key in keys:
            is_open = key in seen.ports
            kinds = {
                state: check_port(index, _look(seen, key, state), NOON).verdict.kind for state in ("open", "closed")
            }
            assert kinds["open"] == (VerdictKind.FINE if is_open else VerdictKind.UNEXPECTED_OPEN)
            assert kinds["closed"] == (VerdictKind.MISSING if is_open else VerdictKind.FINE)


def _look(seen: OpenHost, key: PortKey, state: str) -> PortLooks:
    states = (SeenState(state=state, seen_at=NOON, scan_id="a"),)
    return PortLooks(vantage=seen.vantage, address=seen.address, key=key, states=states)
