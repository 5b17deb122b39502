"""Egress is the scope's networks and no more, in as many places as the security group has."""

from __future__ import annotations

import ipaddress

import pytest

from cascan.model.worker_network import WorkerNetwork
from cascan.permissions.egress import MAX_NETWORKS, build_egress
from cascan.permissions.scope import Scope
from cascan.settings import SettingsError


def holds(networks: tuple[str, ...], address: str) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)


def test_networks_come_out_as_they_are_and_without_overlap() -> None:
    assert build_egress(["10.20.0.0/16", "192.0.2.7", "10.20.3.0/24"]).networks == ("10.20.0.0/16", "192.0.2.7/32")


def test_what_is_denied_is_left_out_where_there_is_room() -> None:
    egress = build_egress(["11.0.0.0/16"], ["11.0.9.0/24"])
    assert egress.remarks == ()
    assert not holds(egress.networks, "11.0.9.1")
    assert holds(egress.networks, "11.0.8.255")
    assert holds(egress.networks, "11.0.10.0")


def test_without_room_the_whole_networks_stand_and_a_remark_says_so() -> None:
    egress = build_egress(["11.0.0.0/8"], ["11.0.0.1", "11.200.3.4"])
    assert egress.networks == ("11.0.0.0/8",)
    assert "denied networks are let out too" in egress.remarks[0]


def test_everything_is_let_out_only_for_who_allows_everything() -> None:
    assert build_egress(["0.0.0.0/0"]).networks == ("0.0.0.0/0",)
    for allowed in (["example.org"], ["2001:db8::/32"], ["example.org", "10.0.0.0/8"]):
        assert "0.0.0.0/0" not in build_egress(allowed).networks


def test_what_has_no_ipv4_network_is_said_and_not_guessed() -> None:
    egress = build_egress(["example.org", "2001:db8::/32"])
    assert egress.networks == ()
    assert [remark.partition(":")[0] for remark in egress.remarks] == ["example.org", "IPv6"]


def test_of_a_network_that_is_not_public_a_remark_says_that_nothing_answers_in_the_small_vpc() -> None:
    egress = build_egress(["10.20.0.0/16", "8.8.0.0/16", "100.64.0.0/16", "9.0.0.0/8", "192.168.0.0/15"])
    assert [remark.partition(" is not a public address")[0] for remark in egress.remarks] == [
        "10.20.0.0/16: 10.20.0.0 (private use)",
        "100.64.0.0/16: 100.64.0.0 (shared address space)",
        "192.168.0.0/15: 192.168.0.0 (private use)",
    ]
    assert all("set WorkerSubnets and WorkerSecurityGroups" in remark for remark in egress.remarks)
    assert holds(egress.networks, "10.20.0.1")  # the same networks narrow a security group of the operator's own VPC


def test_of_a_public_network_a_remark_says_that_nothing_answers_where_there_are_endpoints_alone() -> None:
    egress = build_egress(["10.20.0.0/16", "8.8.0.0/16"], network=WorkerNetwork.ENDPOINTS)
    assert egress.networks == ("8.8.0.0/16", "10.20.0.0/16")
    (remark,) = egress.remarks
    assert remark.startswith("8.8.0.0/16: 8.8.0.0 (public) is a public address, and the stack's own network has")
    assert build_egress(["8.8.0.0/16"], network=WorkerNetwork.NAT).remarks == ()


def test_a_public_network_with_a_reserved_part_is_named_with_the_first_address_of_that_part() -> None:
    (remark,) = build_egress(["8.0.0.0/6"]).remarks
    assert remark.startswith("8.0.0.0/6: 10.0.0.0 (private use) is not a public address")
    assert build_egress(["8.0.0.0/6"], ["10.0.0.0/8"]).remarks == ()


def test_link_local_addresses_are_never_let_out_by_name() -> None:
    assert build_egress(["169.254.0.0/16"]).networks == ()


def test_more_networks_than_places_are_all_told_with_what_to_do() -> None:
    egress = build_egress([f"10.0.{2 * number}.0/24" for number in range(MAX_NETWORKS + 1)])
    assert len(egress.networks) == MAX_NETWORKS + 1
    assert f"more than {MAX_NETWORKS}" in egress.remarks[-1]


@pytest.mark.parametrize("allowed", [["10.0.0.0/8", "127.0.0.0/8"], ["10.0.0.0/30", "10.0.0.64/29", "172.16.0.0/12"]])
def test_egress_lets_out_what_the_scope_allows_and_nothing_else(allowed: list[str]) -> None:
    denied = ["10.0.0.2", "127.0.0.0/8"]
    scope, networks = Scope.of(allowed, denied), build_egress(allowed, denied).networks
    if len(networks) <= MAX_NETWORKS and "10.0.0.0/8" not in networks:
        for address in (
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.4",
            "10.0.0.71",
            "10.0.0.72",
            "172.31.0.1",
            "127.0.0.1",
            "8.8.8.8",
        ):
            assert holds(networks, address) == (scope.find_address_refusal(address) is None), address


def test_what_is_no_target_is_refused_by_its_name() -> None:
    with pytest.raises(SettingsError, match="not/a/net"):
        build_egress(["not/a/net"])
