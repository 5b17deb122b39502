"""Each host of a scan is asked exactly its own ports, in exactly one shard."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from cascan.errors import RequestRefused
from cascan.limits import MAX_EXPRESS_PORT_SETS, MAX_SHARDS_PER_SCAN, MAX_TARGETS, PLANNING_SECONDS
from cascan.model.shard import Lane, Shard
from cascan.nmap.ports.port_list import parse_ports
from cascan.nmap.targets.own_ports import parse_target_with_ports
from cascan.nmap.targets.target_set import Exclusion, enumerate_slice
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.explain import PortSet, explain
from cascan.planning.plan import Plan, plan
from tests.support.builders import a_request

PERMISSIONS = Permissions(Scope.of(["10.0.0.0/8", "2001:db8::/32", "example.test"]))
Pair = tuple[str, str, int]  # host, letter, port


def planned(*targets: str, parameters: Sequence[str] = (), exclude: Sequence[str] = ()) -> Plan:
    request = a_request(targets=targets, parameters=tuple(parameters), exclude=tuple(exclude))
    return plan(request, PERMISSIONS)


def hosts(shard: Shard) -> list[str]:
    names: dict[str, list[str]] = {target_slice.expression: [] for target_slice in shard.slices}
    return [
        host
        for target_slice in shard.slices
        for host in enumerate_slice(target_slice, shard.family, names) or [target_slice.expression]
    ]


def port_list(shard: Shard) -> str:
    return shard.arguments[shard.arguments.index("-p") + 1]


def by_host(plan: Plan) -> dict[str, str]:
    """Each host's list of ports. A host in two shards fails."""
    lists: dict[str, str] = {}
    for shard in plan.shards("scan"):
        for host in hosts(shard):
            assert host not in lists
            lists[host] = port_list(shard)
    return lists


def refusal(*targets: str, parameters: Sequence[str] = ()) -> str:
    with pytest.raises(RequestRefused) as refused:
        planned(*targets, parameters=parameters)
    return "; ".join(refused.value.reasons)


def test_hosts_with_the_same_ports_share_a_run_of_nmap() -> None:
    asked = planned("10.0.0.5:22,443", "10.0.0.7:80", "10.0.0.6:443,22")
    shards = list(asked.shards("scan"))
    assert [(hosts(shard), shard.arguments) for shard in shards] == [
        (["10.0.0.5", "10.0.0.6"], ("-p", "22,443")),
        (["10.0.0.7"], ("-p", "80")),
    ]
    assert (asked.addresses, asked.probes) == (3, 5)


def test_several_entries_of_a_host_are_one_however_they_are_written() -> None:
    assert by_host(planned("10.0.0.0/30:80", "10.0.0.1:22", "10.0.0.1-2:443", "10.0.0.1:8080")) == {
        "10.0.0.0": "80",
        "10.0.0.1": "22,80,443,8080",
        "10.0.0.2": "80,443",
        "10.0.0.3": "80",
    }
    ipv6 = planned("[2001:db8::5]:443", "[2001:DB8:0:0::5]:22", parameters=["-6"])
    assert by_host(ipv6) == {"2001:db8::5": "22,443"}
    names = list(planned("web.example.test:443", "WEB.example.test:80").shards("scan"))
    assert [port_list(shard) for shard in names] == ["80,443"]


def test_targets_without_ports_are_asked_those_of_the_options() -> None:
    shards = planned("10.0.0.1", "10.0.0.2:22", parameters=["--top-ports", "20", "-T4"]).shards("scan")
    assert [(hosts(shard), shard.arguments) for shard in shards] == [
        (["10.0.0.1"], ("--top-ports", "20", "-T4")),
        (["10.0.0.2"], ("-T4", "-p", "22")),
    ]


def test_a_host_of_targets_with_and_without_ports_is_asked_both_where_they_make_one_list() -> None:
    assert by_host(planned("10.0.0.0/31", "10.0.0.1:22", parameters=["-p", "80-90"]))["10.0.0.1"] == "22,80-90"
    with_name = planned("10.0.0.0/31", "10.0.0.1:22", parameters=["-p", "http"])
    assert by_host(with_name)["10.0.0.1"] == "http,T:22"
    both = planned("10.0.0.1", "10.0.0.1:22", parameters=["-sS", "-sU", "-p", "53"])
    assert by_host(both)["10.0.0.1"] == "T:22,53,U:53"
    for parameters in ([], ["-F"], ["--top-ports", "10"]):
        reason = refusal("10.0.0.0/31", "10.0.0.1:22", parameters=parameters)
        assert "write these with -p, or name the host in one target only" in reason


@pytest.mark.parametrize(
    ("targets", "parameters", "reason"),
    [
        (["10.0.0.5:22"], ["-p", "80"], "-p is for targets without ports of their own"),
        (["10.0.0.5:22"], ["-F"], "-F is for targets without ports of their own"),
        (["10.0.0.5:22"], ["--top-ports", "10"], "--top-ports is for targets without ports of their own"),
        (["10.0.0.5:22", "10.0.0.6"], ["-sn"], "-sn asks no ports, and '10.0.0.5:22' has ports of its own"),
        (["10.0.0.5:22", "10.0.0.6"], ["-sL"], "-sL asks no ports"),
        (["10.0.0.5:22", "10.0.0.6"], ["-sO"], "-sO asks no ports"),
        (["10.0.0.5:53/udp"], [], "target '10.0.0.5:53/udp': UDP 53 needs -sU, and the scan asks TCP ports only"),
        (["10.0.0.5:22"], ["-sU"], "TCP 22 needs a TCP scan, and the scan asks UDP ports only"),
        (["10.0.0.5:9/sctp"], ["-sS"], "SCTP 9 needs -sY or -sZ"),
        (["10.0.0.5:22,80"], ["--exclude-ports", "1-100"], "no TCP port remains without those of --exclude-ports"),
        (["10.0.0.5:9100"], ["-sC"], "target '10.0.0.5:9100': no TCP port remains"),
        (["172.16.0.1:22"], [], "172.16.0.1"),
        (["2001:db8::5:22"], [], "an IPv6 target needs -6"),
    ],
)
def test_a_contradiction_is_refused_and_names_the_option_or_the_target(
    targets: list[str], parameters: list[str], reason: str
) -> None:
    assert reason in refusal(*targets, parameters=parameters)


def test_udp_ports_need_raw_sockets_as_the_option_does() -> None:
    asked = planned("10.0.0.5:22,53/udp", parameters=["-sS", "-sU"])
    assert (asked.lane, by_host(asked)) == (Lane.RAW, {"10.0.0.5": "T:22,U:53"})


def test_each_shard_gets_its_share_of_the_rate_of_the_scan() -> None:
    asked = planned("10.0.0.5:22", "10.0.0.6:80", parameters=["--max-rate", "2000"])
    arguments = [shard.arguments for shard in asked.shards("scan")]
    assert arguments == [("--max-rate", "1000", "-p", "22"), ("--max-rate", "1000", "-p", "80")]


def test_few_sets_of_few_ports_run_on_the_express_lane_and_many_do_not() -> None:
    targets = [f"10.0.0.{number + 1}:{number + 1}" for number in range(MAX_EXPRESS_PORT_SETS + 1)]
    assert planned(*targets[:-1]).lane is Lane.EXPRESS
    assert planned(*targets).lane is Lane.CONNECT
    assert planned("10.0.0.0/28:1-1000").lane is Lane.CONNECT


def test_names_still_have_a_shard_each_beside_scripts() -> None:
    asked = planned("a.example.test:443", "b.example.test:443", "10.0.0.1:443", "10.0.0.2:22", parameters=["-sV"])
    shards = [([piece.expression for piece in shard.slices], port_list(shard)) for shard in asked.shards("scan")]
    assert shards == [
        (["10.0.0.1"], "443"),
        (["a.example.test"], "443"),
        (["b.example.test"], "443"),
        (["10.0.0.2"], "22"),
    ]


def test_the_explanation_lists_the_sets_of_ports() -> None:
    request = a_request(targets=("10.0.0.0/30:80", "10.0.0.9"), parameters=("-F",))
    assert explain(request, PERMISSIONS).port_sets == (PortSet("80", 4, 1), PortSet("", 1, 1))
    assert explain(a_request(targets=("10.0.0.9",)), PERMISSIONS).port_sets == ()


def test_more_sets_of_ports_than_shards_are_refused() -> None:
    targets = [f"10.0.{number // 250}.{number % 250}:{number + 1}" for number in range(MAX_SHARDS_PER_SCAN + 1)]
    assert len(planned(*targets[:-1]).slices) == MAX_SHARDS_PER_SCAN
    assert f"{MAX_SHARDS_PER_SCAN + 1} different sets of ports" in refusal(*targets)


@pytest.mark.parametrize("seed", range(40))
def test_every_pair_of_host_and_port_that_was_asked_is_in_one_shard_and_no_other_pair(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    targets = [f"{_random_hosts(rng)}:{_random_ports(rng)}" for _ in range(rng.randrange(1, 12))]
    exclude = [_random_hosts(rng).replace(",", "-") for _ in range(rng.randrange(3))]  # a comma separates excludes
    excluded = Exclusion.parse(exclude)
    expected: set[Pair] = set()
    for text in targets:
        target, ports = parse_target_with_ports(text)
        for host in target.addresses():  # type: ignore[union-attr]  # no name is among them
            if not excluded.contains(host):
                expected |= {(host, letter, port) for letter, port in _list_ports(str(ports))}
    try:
        asked = planned(*targets, exclude=exclude, parameters=["-sS", "-sU"])
    except RequestRefused:
        assert not expected
        return
    pairs = [
        (host, letter, port)
        for shard in asked.shards("scan")
        for host in hosts(shard)
        for letter, port in _list_ports(port_list(shard))
    ]
    assert Counter(pairs) == Counter(expected)
    in_shards = Counter(host for shard in asked.shards("scan") for host in hosts(shard))
    assert set(in_shards.values()) == {1}
    assert (asked.addresses, asked.probes) == (len(in_shards), len(expected))


def _random_hosts(rng: random.Random) -> str:
    low = rng.randrange(40)
    return rng.choice(
        [
            f"10.0.0.{low}",
            f"10.0.0.{low}-{low + rng.randrange(20)}",
            f"10.0.0-1.{low},{low + 3}",
            f"10.0.0.{low}/{rng.randrange(27, 32)}",
            f"10.0.0-2.{low}/29",
        ]
    )


def _random_ports(rng: random.Random) -> str:
    return rng.choice(["22", "80,443", "80-84", "53/udp", "22,U:53-54", "T:443,U:161"])


def _list_ports(text: str) -> list[tuple[str, int]]:
    items = parse_ports(text)
    return [(item.letter or "T", port) for item in items for port in range(item.low or 1, (item.high or 0) + 1)]


@pytest.mark.parametrize(
    "targets",
    [
        [f"10.{number // 250}.{number % 250}.7:{number % 1_999 + 1}" for number in range(MAX_TARGETS)],
        [f"10.0.0.0/{8 + number % 24}:{number + 1}" for number in range(MAX_TARGETS)],
        [f"10.0.{number % 64}.{number // 64}:{number + 1},{(number * 7) % 60_000 + 1}" for number in range(1_900)]
        + ["10.0.0.0/8:1", "10.*.*.9:2", "10.0-255.3.1-200:3"],
        [f"10.0.0.1:{','.join(str(port * 2 + number % 2 + 1) for port in range(180))}" for number in range(500)],
    ],
)
def test_the_most_that_a_request_may_hold_is_planned_or_refused_well_within_the_time(targets: list[str]) -> None:
    request = a_request(targets=tuple(targets))
    refusal_text = "not refused; else: ask for several scans"
    started = time.process_time()
    try:
        plan(request, PERMISSIONS)
    except RequestRefused as exc:
        refusal_text = str(exc)
    assert "ask for several scans" in refusal_text
    assert time.process_time() - started < PLANNING_SECONDS


def test_a_host_is_scanned_at_the_address_that_its_target_names() -> None:
    (shard,) = planned("[2001:db8::]:22", parameters=["-6"]).shards("scan")
    assert [int(ip_address(host)) for host in hosts(shard)] == [int(ip_address("2001:db8::"))]
