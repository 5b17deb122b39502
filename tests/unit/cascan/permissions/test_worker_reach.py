"""Where the stack made the workers' network, a target that it does not let out is refused: it would look dead."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.model.refusal import Rule
from cascan.model.shard import Lane
from cascan.permissions.egress import build_egress
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach
from cascan.planning.plan import Plan, plan
from cascan.settings import SettingsError
from tests.support.builders import a_request
from tests.support.no_hang import no_hang

ALLOWED = ["10.0.0.0/8", "192.0.2.0/24", "8.8.0.0/16", "2001:db8::/32", "example.test"]
SCOPE = Scope.of(ALLOWED)
REACH = WorkerReach.of(["10.0.0.0/9", "10.128.0.0/10"])  # all below 10.192.0.0


def planned(*targets: str, reach: WorkerReach | None = REACH, **fields: Any) -> Plan:
    asked = a_request(targets=targets, **{"parameters": (), **fields})
    return plan(asked, Permissions(SCOPE, express_reaches_private=False, reach=reach))


def reasons(*targets: str, **fields: Any) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        planned(*targets, **fields)
    assert {refusal.rule for refusal in refused.value.refusals} == {Rule.SCOPE}
    return list(refused.value.reasons)


def test_what_the_network_lets_out_is_planned_as_ever() -> None:
    assert planned("10.0.0.0/24", "10.191.255.255").lane is Lane.CONNECT
    assert planned("10.127.0.0-10").addresses == 11


def test_the_first_address_that_workers_do_not_reach_is_named_with_the_way_out() -> None:
    assert reasons("10.0.0.1", "10.190-192.0.1", "192.0.2.1") == [
        f"{address} is allowed, but WorkerEgress leaves it out, so it would look dead to workers; "
        "set WorkerEgress to what `cascan egress` prints for the stack's AllowedTargets"
        for address in ("10.192.0.1 (10.190-192.0.1)", "192.0.2.1")
    ]


def test_raw_workers_stand_in_the_same_network() -> None:
    assert planned("10.0.0.1", parameters=("-sS",)).lane is Lane.RAW
    assert len(reasons("8.8.8.8", parameters=("-sS",))) == 1


def test_the_express_function_is_in_no_such_network() -> None:
    assert planned("8.8.8.8", parameters=("-p", "53")).lane is Lane.EXPRESS


def test_the_small_vpc_has_no_ipv6() -> None:
    for target in ("2001:db8::1", "www.example.test"):
        (reason,) = reasons(target, parameters=("-6",))
        assert reason == f"{target} is an IPv6 target, and the stack's own small VPC has no IPv6; " \
                         "use WorkerSubnets of your own"  # fmt: skip


def test_of_a_name_the_plan_says_what_is_not_known_yet() -> None:
    many = [f"n{number}.example.test" for number in range(9)]  # too many for the express lane
    asked = planned(*many)
    assert asked.lane is Lane.CONNECT
    assert [note for note in asked.notes if "WorkerEgress" in note]
    assert not planned(*many, reach=WorkerReach.of(["0.0.0.0/0"])).notes


def test_a_network_of_the_operators_own_is_not_judged() -> None:
    assert WorkerReach.of([]) is None
    assert planned("192.0.2.0/24", "10.255.0.1", reach=WorkerReach.of([])).addresses == 257


def test_what_cascan_egress_derives_from_the_scope_reaches_all_of_it() -> None:
    reach = WorkerReach.of(build_egress(ALLOWED, ["10.9.0.0/16"]).networks)
    for target in ("10.8.255.255", "192.0.2.0/24", "8.8.0.0/16"):
        assert planned(target, reach=reach).addresses


def test_an_egress_that_is_none_is_told() -> None:
    for entry in ("example.test", "2001:db8::/32", "10.0.0.1/8"):
        with pytest.raises(SettingsError, match="WorkerEgress"):
            WorkerReach.of(["10.0.0.0/8", entry])


def test_a_lambda_outside_a_network_of_the_operators_has_no_ipv6() -> None:
    scope = Scope.of(["2606:4700::/32", "example.test"])
    for target in ("2606:4700::1", "www.example.test"):
        asked = a_request(targets=(target,), parameters=("-6", "-p", "443"))
        assert plan(asked, Permissions(scope, express_reaches_private=False)).lane is Lane.CONNECT
        assert plan(asked, Permissions(scope, express_reaches_private=True)).lane is Lane.EXPRESS


def test_a_wide_target_of_which_excludes_leave_little_is_not_walked_through() -> None:
    exclude = ("8.128.0.0/9", "8.64.0.0/10", "8.0.0.1-255", "8.0-63.1-255.*", "8.1-63.0.*")
    asked = a_request(targets=("8.0.0.0/8",), exclude=exclude)
    with no_hang():  # one by one they would take a minute
        left = plan(asked, Permissions(Scope.of(["8.0.0.0/8"]), express_reaches_private=False))
    assert (left.addresses, left.lane) == (1, Lane.EXPRESS)
