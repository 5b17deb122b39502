"""Where the stack made the workers' network, a target that it does not let out is refused: it would look dead."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Rule
from cascan.model.request import ScanRequest
from cascan.model.shard import Lane
from cascan.model.worker_network import WorkerNetwork
from cascan.permissions.egress import build_egress
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach
from cascan.planning.plan import SEEN_FROM_EXPRESS, Plan, plan
from cascan.settings import SettingsError
from tests.support.builders import a_request
from tests.support.no_hang import no_hang

ALLOWED = ["9.0.0.0/8", "10.0.0.0/8", "100.64.0.0/16", "8.8.0.0/16", "2606:4700::/32", "example.test"]
SCOPE = Scope.of(ALLOWED)
REACH = WorkerReach.of(
    ["9.0.0.0/9", "9.128.0.0/10", "10.0.0.0/8", "100.64.0.0/16"], WorkerNetwork.SMALL_VPC, has_ipv6=False
)
SUBNETS = WorkerReach.of([], WorkerNetwork.SUBNETS, has_ipv6=False)
IPV6_SUBNETS = WorkerReach.of([], WorkerNetwork.SUBNETS, has_ipv6=True)
NO_ROUTE = "so no answer would come back; set WorkerSubnets and WorkerSecurityGroups to a network with a route to it"


def planned(*targets: str, reach: WorkerReach | None = REACH, express_private: bool = False, **fields: Any) -> Plan:
    asked = a_request(targets=targets, **{"parameters": (), **fields})
    profile = PolicyProfile.EVERYTHING
    return plan(asked, Permissions(SCOPE, profile, express_reaches_private=express_private, reach=reach))


def reasons(*targets: str, **fields: Any) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        planned(*targets, **fields)
    assert {refusal.rule for refusal in refused.value.refusals} == {Rule.SCOPE}
    return list(refused.value.reasons)


def test_what_the_network_lets_out_is_planned_as_ever() -> None:
    assert planned("9.0.0.0/24", "9.191.255.255").lane is Lane.CONNECT
    assert planned("9.127.0.0-10").addresses == 11


def test_the_first_address_that_workers_do_not_reach_is_named_with_the_way_out() -> None:
    assert reasons("9.0.0.1", "9.190-192.0.1", "8.8.8.0/23") == [
        f"{address} is allowed, but WorkerEgress leaves it out, so it would look dead to workers; "
        "set WorkerEgress to what `cascan egress` prints for the stack's AllowedTargets"
        for address in ("9.192.0.1 (9.190-192.0.1)", "8.8.8.0 (8.8.8.0/23)")
    ]


@pytest.mark.parametrize(
    ("target", "address", "purpose"),
    [
        ("10.20.0.0/16", "10.20.0.0 (10.20.0.0/16)", "private use"),
        ("10.0.0.1", "10.0.0.1", "private use"),
        ("9-10.0.0.7", "10.0.0.7 (9-10.0.0.7)", "private use"),
        ("100.64.0.9", "100.64.0.9", "shared address space"),
    ],
)
@pytest.mark.parametrize("parameters", [(), ("-sS",), ("-p", "22")])
def test_the_small_vpc_has_no_route_to_what_is_not_public(
    target: str, address: str, purpose: str, parameters: tuple[str, ...]
) -> None:
    (reason,) = reasons(target, parameters=parameters)
    assert reason.startswith(f"{address} is not a public address ({purpose}), and the one route of the stack's own")
    assert reason.endswith(NO_ROUTE)


@pytest.mark.parametrize("target", ["10.20.0.0/16", "100.64.0.9", "9.192.0.1", "www.example.test"])
def test_what_ipv4_the_operators_own_subnets_reach_is_not_judged(target: str) -> None:
    assert planned(target, reach=SUBNETS).addresses


def test_raw_workers_stand_in_the_same_network() -> None:
    assert planned("9.0.0.1", parameters=("-sS",)).lane is Lane.RAW
    assert len(reasons("8.8.8.8", parameters=("-sS",))) == 1


def test_the_express_function_is_in_no_such_network() -> None:
    assert planned("8.8.8.8", parameters=("-p", "53")).lane is Lane.EXPRESS


NAT = WorkerReach.of(["9.0.0.0/8", "10.0.0.0/8"], WorkerNetwork.NAT, has_ipv6=False)
ENDPOINTS = WorkerReach.of(["9.0.0.0/8", "10.0.0.0/9"], WorkerNetwork.ENDPOINTS, has_ipv6=False)


@pytest.mark.parametrize("parameters", [(), ("-p", "22")])
def test_behind_nat_the_express_function_too_reaches_public_addresses_alone(parameters: tuple[str, ...]) -> None:
    assert planned("9.0.0.1", parameters=parameters, reach=NAT, express_private=True).addresses
    (reason,) = reasons("10.0.0.1", parameters=parameters, reach=NAT, express_private=True)
    assert reason.endswith(NO_ROUTE)


@pytest.mark.parametrize("parameters", [(), ("-p", "22")])
def test_with_endpoints_alone_a_public_address_is_refused_with_the_way_out(parameters: tuple[str, ...]) -> None:
    (reason,) = reasons("9.0.0.0/24", parameters=parameters, reach=ENDPOINTS, express_private=True)
    assert reason == (
        "9.0.0.0 (9.0.0.0/24) is a public address, and the stack's own network has endpoints and no route to the "
        "Internet (WorkerNetwork=endpoints), so no answer would come back; set WorkerNetwork=public or "
        "WorkerNetwork=nat"
    )


def test_with_endpoints_alone_a_plan_says_that_only_connected_networks_answer() -> None:
    notes = planned("10.1.0.0/24", reach=ENDPOINTS, express_private=True).notes
    assert len([note for note in notes if "leads only to networks that you have connected to its VPC" in note]) == 1
    assert not [note for note in planned("9.0.0.1", reach=NAT, express_private=True).notes if "connected" in note]
    (reason,) = reasons("10.200.0.1", reach=ENDPOINTS, express_private=True)
    assert "WorkerEgress leaves it out" in reason


IPV6 = pytest.mark.parametrize("target", ["2606:4700::1", "2606:4700::/120", "www.example.test"])


@IPV6
@pytest.mark.parametrize("reach", [REACH, NAT, ENDPOINTS])
def test_no_vpc_of_the_stack_has_ipv6(target: str, reach: WorkerReach) -> None:
    (reason,) = reasons(target, parameters=("-6",), reach=reach)
    assert reason == f"{target} is an IPv6 target, and the stack's own small VPC has no IPv6; " \
                     "set WorkerSubnets and WorkerIpv6=enabled"  # fmt: skip


@IPV6
@pytest.mark.parametrize("express_private", [False, True])
@pytest.mark.parametrize("parameters", [("-6",), ("-6", "-p", "443"), ("-6", "-sS")])
def test_own_subnets_take_ipv6_targets_only_where_the_operator_says_that_they_have_it(
    target: str, parameters: tuple[str, ...], *, express_private: bool
) -> None:
    (reason,) = reasons(target, parameters=parameters, reach=SUBNETS, express_private=express_private)
    assert reason.startswith(f"{target} is an IPv6 target, and WorkerIpv6 is disabled; set WorkerIpv6=enabled if")
    assert planned(target, parameters=parameters, reach=IPV6_SUBNETS, express_private=express_private).addresses


def test_of_a_name_the_plan_says_what_is_not_known_yet() -> None:
    many = [f"n{number}.example.test" for number in range(9)]  # too many for the express lane
    asked = planned(*many)
    assert asked.lane is Lane.CONNECT
    assert [note for note in asked.notes if "WorkerEgress" in note]
    assert not planned(*many, reach=WorkerReach.of(["0.0.0.0/0"], WorkerNetwork.SMALL_VPC, has_ipv6=False)).notes


def test_workers_on_this_machine_reach_what_it_reaches() -> None:
    assert WorkerReach.of(["9.0.0.0/9"], WorkerNetwork.MACHINE, has_ipv6=False) is None
    for target, parameters in (("10.255.0.1", ()), ("2606:4700::1", ("-6",))):
        assert planned(target, parameters=parameters, reach=None).addresses


FORGED = {
    ("-D", "9.0.0.9,ME"): "-D",
    ("--spoof-mac", "0"): "--spoof-mac",
    ("--spoof-mac", "0", "-D", "RND:3"): "-D, --spoof-mac",
}


@pytest.mark.parametrize(("parameters", "options"), FORGED.items())
def test_of_a_forged_sender_the_plan_says_that_aws_drops_its_packets(parameters: tuple[str, ...], options: str) -> None:
    for reach in (REACH, SUBNETS):
        notes = planned("9.0.0.1", parameters=("-sS", *parameters), reach=reach).notes
        assert len([note for note in notes if note.startswith(f"{options} has no effect in AWS")]) == 1
    assert not [note for note in planned("9.0.0.1", parameters=("-sS", *parameters), reach=None).notes if "AWS" in note]


def test_without_a_forged_sender_there_is_no_such_note() -> None:
    assert not [note for note in planned("9.0.0.1", parameters=("-sS",)).notes if "AWS" in note]


def test_what_cascan_egress_derives_from_the_scope_reaches_all_of_it() -> None:
    reach = WorkerReach.of(build_egress(ALLOWED, ["9.9.0.0/16"]).networks, WorkerNetwork.SMALL_VPC, has_ipv6=False)
    for target in ("9.8.255.255", "9.10.0.0/24", "8.8.0.0/16"):
        assert planned(target, reach=reach).addresses


def test_an_egress_that_is_none_is_told() -> None:
    for entry in ("example.test", "2001:db8::/32", "10.0.0.1/8"):
        with pytest.raises(SettingsError, match="WorkerEgress"):
            WorkerReach.of(["10.0.0.0/8", entry], WorkerNetwork.SMALL_VPC, has_ipv6=False)


def test_a_lambda_outside_a_network_of_the_operators_has_no_ipv6() -> None:
    scope = Scope.of(["2606:4700::/32", "example.test"])
    for target in ("2606:4700::1", "www.example.test"):
        asked = a_request(targets=(target,), parameters=("-6", "-p", "443"))
        assert plan(asked, Permissions(scope, express_reaches_private=False)).lane is Lane.CONNECT
        assert plan(asked, Permissions(scope, express_reaches_private=True)).lane is Lane.EXPRESS


def test_an_express_function_outside_the_subnets_of_the_workers_is_a_vantage_of_its_own_which_a_note_says() -> None:
    public = a_request(targets=("8.8.8.8",), parameters=("-p", "53"))
    wide = a_request(targets=("8.8.0.0/16",), parameters=("-p", "53"))

    def plan_in(network: WorkerNetwork, asked: ScanRequest = public, *, private: bool = False) -> Plan:
        reach = WorkerReach.of((), network, has_ipv6=False)
        permissions = Permissions(Scope.of(["8.0.0.0/8"]), express_reaches_private=private, reach=reach)
        return plan(asked, permissions)

    outside = plan_in(WorkerNetwork.SUBNETS)
    assert (outside.lane, outside.vantage, outside.express_vantage) == (Lane.EXPRESS, "default", "express")
    assert SEEN_FROM_EXPRESS in outside.notes
    for same_place in (
        plan_in(WorkerNetwork.SUBNETS, private=True),
        plan_in(WorkerNetwork.SMALL_VPC),
        plan_in(WorkerNetwork.MACHINE),
        plan_in(WorkerNetwork.SUBNETS, wide),  # by workers
    ):
        assert (same_place.express_vantage, SEEN_FROM_EXPRESS in same_place.notes) == ("", False)


def test_a_wide_target_of_which_excludes_leave_little_is_not_walked_through() -> None:
    exclude = ("8.128.0.0/9", "8.64.0.0/10", "8.0.0.1-255", "8.0-63.1-255.*", "8.1-63.0.*")
    asked = a_request(targets=("8.0.0.0/8",), exclude=exclude)
    with no_hang():  # one by one they would take a minute
        left = plan(asked, Permissions(Scope.of(["8.0.0.0/8"]), express_reaches_private=False))
    assert (left.addresses, left.lane) == (1, Lane.EXPRESS)
