"""Hosts whose addresses change, through the real recording: what is announced, and what is stored in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.events import HostMoved
from cascan.model.identity import IdentityKind, NetworkIdentity
from tests.support.builders import a_request
from tests.support.scanned_network import Breaking, World, at, words

LAPTOP, PRINTER, SERVER = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
MAC = a_request(identity="mac")
NAME = a_request(identity="name")
Slice = dict[str, Any]
LOWER: Slice
UPPER: Slice
LOWER, UPPER = {"target": "10.0.0.0/30", "count": 4}, {"target": "10.0.0.4/30", "count": 4}


@dataclass(frozen=True)
class Seen:
    """A host in a report."""

    address: str
    mac: str = ""
    ports: tuple[int, ...] = (22,)
    name: str = ""


def report(*hosts: Seen, total: int = 8) -> bytes:
    elements = "".join(
        '<host><status state="up" reason="arp-response" reason_ttl="0"/>'
        f'<address addr="{host.address}" addrtype="ipv4"/>'
        + (f'<address addr="{host.mac.upper()}" addrtype="mac"/>' if host.mac else "")
        + (f'<hostnames><hostname name="{host.name}" type="PTR"/></hostnames>' if host.name else "")
        + '<ports><extraports state="closed" count="90">'
        '<extrareasons reason="reset" count="90" proto="tcp"/></extraports>'
        + "".join(
            f'<port protocol="tcp" portid="{port}"><state state="open" reason="syn-ack"/></port>' for port in host.ports
        )
        + "</ports></host>"
        for host in hosts
    )
    scaninfo = '<scaninfo type="syn" protocol="tcp" numservices="100" services="1-100"/>'
    counts = f'<hosts up="{len(hosts)}" down="0" total="{total}"/>'
    stats = f'<finished time="1" elapsed="1" exit="success"/>{counts}'
    return f'<nmaprun scanner="nmap">{scaninfo}{elements}<runstats>{stats}</runstats></nmaprun>'.encode()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_host_that_moves_is_compared_with_its_record_of_the_other_address(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP, (22, 80))), request=MAC)
    assert world.scan(2, report(Seen("10.0.0.5", LAPTOP, (22, 80))), request=MAC) == ["HostMoved 10.0.0.5"]
    (moved,) = (event for event in world.bus.events if isinstance(event, HostMoved))
    assert (moved.previous_address, moved.identity) == ("10.0.0.1", f"mac:{LAPTOP}")
    assert world.scan(3, report(Seen("10.0.0.6", LAPTOP, (22, 81))), request=MAC) == [
        "PortOpened 10.0.0.6:81",
        "PortClosed 10.0.0.6:80",
        "HostMoved 10.0.0.6",
    ]
    assert world.summed.changes.kinds == {"PortOpened": 1, "PortClosed": 1, "HostMoved": 1}


def test_by_address_the_same_moves_are_news(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP)))
    assert world.scan(2, report(Seen("10.0.0.5", LAPTOP))) == [
        "HostGone 10.0.0.1",
        "HostAppeared 10.0.0.5",
        "PortOpened 10.0.0.5:22",
    ]


def test_two_hosts_swap_their_addresses(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP, (22,)), Seen("10.0.0.5", PRINTER, (80,))), request=MAC)
    swapped = report(Seen("10.0.0.1", PRINTER, (80,)), Seen("10.0.0.5", LAPTOP, (22,)))
    assert world.scan(2, swapped, request=MAC) == ["HostMoved 10.0.0.1", "HostMoved 10.0.0.5"]
    assert world.scan(3, swapped, request=MAC) == []


def test_a_delivery_that_dies_at_any_call_is_finished_by_the_next(tmp_path: Path) -> None:
    """What is stored and announced is as if nothing had been: the host is not found, moved or taken over."""
    first = report(Seen("10.0.0.1", LAPTOP), Seen("10.0.0.2", SERVER), Seen("10.0.0.3", PRINTER))
    second = report(Seen("10.0.0.1", PRINTER, (22, 80)), Seen("10.0.0.4", LAPTOP, (23,)))
    third = report(Seen("10.0.0.1", PRINTER, (22, 80)), Seen("10.0.0.5", "52:54:00:00:00:09"))
    undisturbed = World(tmp_path)
    for hour, hosts in enumerate((first, second, third)):
        undisturbed.scan(hour, hosts, request=MAC)
    for hour in (1, 2):
        call, fired = 0, True
        while fired:
            world = World(tmp_path)
            for earlier, hosts in enumerate((first, second)[:hour]):
                world.scan(earlier, hosts, request=MAC)
            key = world.stored(hour, (first, second, third)[hour], request=MAC)
            with pytest.MonkeyPatch.context() as patch:
                breaking = Breaking(world, call, patch)
                with suppress(GatewayUnavailable):
                    world.deliver(key)
                fired = breaking.fired
            world.deliver(key)
            if hour == 1:
                world.scan(2, third, request=MAC)
            assert world.outline() == undisturbed.outline(), f"it died before call {call} of scan {hour}"
            call += 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_host_moves_between_the_slices_of_two_shards_in_any_order(world: World, order: tuple[int, int]) -> None:
    def scan(hour: int, *hosts: Seen) -> list[str]:
        slices = ((LOWER, range(4)), (UPPER, range(4, 8)))
        keys = [
            world.stored(
                hour,
                report(*(host for host in hosts if int(host.address[-1]) in last_bytes), total=4),
                number=number,
                shards_open=2,
                request=MAC,
                **slice_,
            )
            for number, (slice_, last_bytes) in enumerate(slices)
        ]
        before = len(world.bus.events)
        for number in order:
            world.deliver(keys[number])
        return words(world.bus.events[before:])

    scan(1, Seen("10.0.0.1", LAPTOP), Seen("10.0.0.2", SERVER))
    assert scan(2, Seen("10.0.0.5", LAPTOP), Seen("10.0.0.2", SERVER)) == ["HostMoved 10.0.0.5"]
    assert scan(3, Seen("10.0.0.5", LAPTOP), Seen("10.0.0.2", SERVER)) == []
    assert scan(4, Seen("10.0.0.1", LAPTOP), Seen("10.0.0.2", SERVER)) == ["HostMoved 10.0.0.1"]
    assert scan(5, Seen("10.0.0.1", LAPTOP)) == []
    assert scan(6, Seen("10.0.0.1", LAPTOP)) == ["HostGone 10.0.0.2"]
    assert scan(7, Seen("10.0.0.1", LAPTOP)) == []
    assert scan(8, Seen("10.0.0.1", LAPTOP), Seen("10.0.0.7", SERVER)) == ["HostAppeared 10.0.0.7"]


def test_a_host_that_misses_one_scan_is_no_news(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP)), request=MAC)
    assert world.scan(2, report(), request=MAC) == []
    assert world.scan(3, report(Seen("10.0.0.1", LAPTOP)), request=MAC) == []
    assert world.scan(4, report(), request=MAC) == []
    assert world.scan(5, report(Seen("10.0.0.3", LAPTOP)), request=MAC) == ["HostMoved 10.0.0.3"]


def test_a_host_whose_address_another_one_has_is_gone_once_a_second_scan_misses_it(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP)), request=MAC)
    replaced = report(Seen("10.0.0.1", PRINTER, (80,)))
    assert world.scan(2, replaced, request=MAC) == ["HostAppeared 10.0.0.1", "PortOpened 10.0.0.1:80"]
    assert world.scan(3, replaced, request=MAC) == ["HostGone 10.0.0.1"]
    assert world.scan(4, replaced, request=MAC) == []


def test_an_identity_with_two_addresses_at_once_is_known_by_address(world: World) -> None:
    both = report(Seen("10.0.0.1", name="web", ports=(22,)), Seen("10.0.0.5", name="web", ports=(80,)))
    world.scan(1, both, request=NAME)
    assert world.scan(2, both, request=NAME) == []
    one = report(Seen("10.0.0.1", name="web", ports=(22, 23)))
    assert world.scan(3, one, request=NAME) == ["PortOpened 10.0.0.1:23", "HostGone 10.0.0.5"]
    assert world.scan(4, both, request=NAME) == ["PortClosed 10.0.0.1:23", "HostAppeared 10.0.0.5"]


def test_without_its_mac_a_host_is_known_by_its_address(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP, (22,))), request=MAC)
    assert world.scan(2, report(Seen("10.0.0.1", "", (22, 80))), request=MAC) == ["PortOpened 10.0.0.1:80"]
    assert world.scan(3, report(Seen("10.0.0.1", LAPTOP, (22, 80))), request=MAC) == []
    assert world.scan(4, report(Seen("10.0.0.2", LAPTOP, (22, 80))), request=MAC) == ["HostMoved 10.0.0.2"]


def test_a_first_scan_with_an_identity_takes_the_hosts_over_from_their_addresses(world: World) -> None:
    world.scan(1, report(Seen("10.0.0.1", LAPTOP), Seen("10.0.0.2", SERVER)))
    assert world.scan(2, report(Seen("10.0.0.1", LAPTOP), Seen("10.0.0.2", SERVER)), request=MAC) == []
    assert world.scan(3, report(Seen("10.0.0.1", LAPTOP), Seen("10.0.0.4", SERVER)), request=MAC) == [
        "HostMoved 10.0.0.4"
    ]


def test_the_narrowest_network_says_how_its_hosts_are_known(world: World) -> None:
    rules = (
        NetworkIdentity(network="10.0.0.0/8", identity=IdentityKind.MAC),
        NetworkIdentity(network="10.0.0.4/30", identity=IdentityKind.ADDRESS),
    )
    world.scan(1, report(Seen("10.0.0.1", LAPTOP), Seen("10.0.0.5", SERVER)), identities=rules)
    after = report(Seen("10.0.0.2", LAPTOP), Seen("10.0.0.6", SERVER))
    assert world.scan(2, after, identities=rules) == [
        "HostMoved 10.0.0.2",
        "HostGone 10.0.0.5",
        "HostAppeared 10.0.0.6",
        "PortOpened 10.0.0.6:22",
    ]


def test_seven_nights_of_dhcp_give_the_true_changes_alone(tmp_path: Path) -> None:
    """Every night each host has another address. On two nights something happens: a port, a new host."""
    dice = Random(48)  # noqa: S311 - a repeatable draw
    nights = list(simulate_nights(dice))
    by_mac, by_address = World(tmp_path), World(tmp_path)
    news = [[], *({*by_mac.scan(night, hosts, request=MAC)} for night, hosts in enumerate(nights))]
    true_changes = [{word for word in night if not word.startswith("HostMoved")} for night in news[2:]]
    kinds = [sorted(word.split()[0] for word in night) for night in true_changes]
    assert kinds == [[], [], ["PortOpened"], [], ["HostAppeared", "PortOpened"], []]
    default = [by_address.scan(night, hosts) for night, hosts in enumerate(nights)]
    assert all(len(night) > 5 for night in default[1:])


def simulate_nights(dice: Random) -> Iterator[bytes]:
    macs = [f"52:54:00:00:01:{number:02x}" for number in range(5)]
    ports: dict[str, tuple[int, ...]] = {mac: (22, 80 + index) for index, mac in enumerate(macs)}
    for night in range(7):
        if night == 3:
            ports[macs[2]] = (22, 82, 99)
        if night == 5:
            ports["52:54:00:00:01:ff"] = (25,)
        free = [f"10.0.0.{number}" for number in range(8)]
        dice.shuffle(free)
        if night in (3, 5):  # the same addresses as the night before are as likely as any other
            dice.shuffle(free)
        hosts = [Seen(address, mac, ports[mac]) for address, mac in zip(free, ports, strict=False)]
        yield report(*hosts)


@dataclass
class SlowOracle:
    """What was true: every look, whole. The newest look of an identity says where it is and what is open."""

    looks: list[tuple[int, Seen]]

    def newest(self, mac: str) -> tuple[int, Seen]:
        return max((look for look in self.looks if look[1].mac == mac), key=lambda look: look[0])


@pytest.mark.parametrize("seed", range(12))
def test_reports_in_any_order_and_repeated_come_to_the_same_end(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - a repeatable draw
    macs = (LAPTOP, PRINTER, SERVER)
    nights: list[tuple[Seen, ...]] = []
    for _ in range(5):
        free = dice.sample([f"10.0.0.{number}" for number in range(8)], 3)
        up = [mac for mac in macs if dice.random() < 0.8]
        nights.append(
            tuple(Seen(a, mac, tuple(dice.sample(range(20, 26), 2))) for a, mac in zip(free, up, strict=False))
        )
    oracle = SlowOracle([(hour, host) for hour, hosts in enumerate(nights) for host in hosts])
    ends = []
    for order in dice.sample(list(permutations(range(5))), 4):
        world = World(tmp_path)
        keys = {hour: world.stored(hour, report(*nights[hour]), request=MAC) for hour in range(5)}
        for hour in order:
            world.deliver(keys[hour])
        repeated = dice.randrange(5)
        world.deliver(keys[repeated])
        ends.append(world)
    for world in ends:
        hosts = world.table.hosts_by_address
        for mac in {look[1].mac for look in oracle.looks}:
            hour, seen = oracle.newest(mac)
            record = hosts[f"mac:{mac}"]
            open_ports = tuple(sorted(port.port for port in record.ports if port.is_open))
            assert (record.address, record.last_seen, open_ports) == (seen.address, at(hour), tuple(sorted(seen.ports)))
            hours = [when for when, host in oracle.looks if host.mac == mac]
            assert record.first_seen == at(min(hours))
            assert [place.seen_at - at(0) for place in record.places] == [timedelta(hours=when) for when in hours]
        for number in range(8):
            record_of_address = hosts.get(f"10.0.0.{number}")
            looks = [look for look in oracle.looks if look[1].address == f"10.0.0.{number}"]
            assert (record_of_address is None) == (not looks)
            if record_of_address:
                hour, seen = max(looks, key=lambda look: look[0])
                assert record_of_address.identity == f"mac:{seen.mac}"
                assert record_of_address.is_up == (hour == 4)
