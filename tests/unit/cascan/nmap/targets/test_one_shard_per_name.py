"""A name has a shard to itself where scripts could say it, so that the worker can let them."""

from __future__ import annotations

from cascan.limits import MAX_SINGLE_NAME_SHARDS
from cascan.model.shard import Lane
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import Plan, plan
from tests.support.builders import a_request

SCOPE = Scope.of(["10.0.0.0/16", "2001:db8::/32", "example.test"])


def planned(*targets: str, parameters: tuple[str, ...] = ("-sV", "-p", "443")) -> Plan:
    return plan(a_request(targets=targets, parameters=parameters), Permissions(SCOPE))


def expressions(asked: Plan) -> list[list[str]]:
    return [[piece.expression for piece in shard] for shard in asked.slices]


def test_with_scripts_every_name_has_a_shard_of_its_own_and_the_numbers_share_theirs() -> None:
    for parameters in (("-sV", "-p", "443"), ("-sC", "-p", "443"), ("--script", "ssl-cert", "-p", "443")):
        asked = planned("10.0.0.1", "a.example.test", "10.0.0.2", "b.example.test", parameters=parameters)
        assert expressions(asked) == [["10.0.0.1", "10.0.0.2"], ["a.example.test"], ["b.example.test"]]
        assert asked.addresses == 4
        assert not any("names are more" in note for note in asked.notes)


def test_without_scripts_nothing_is_set_apart() -> None:
    asked = planned("10.0.0.1", "a.example.test", "b.example.test", parameters=("-p", "443"))
    assert len(asked.slices) == 1


def test_a_small_scan_stays_on_the_express_lane_though_its_names_are_set_apart() -> None:
    assert planned("a.example.test", "b.example.test").lane is Lane.EXPRESS


def test_a_block_around_a_name_is_no_name() -> None:
    asked = planned("10.0.0.1", "a.example.test", "b.corp.test/30")
    assert expressions(asked) == [["10.0.0.1", "b.corp.test/30"], ["a.example.test"]]


def test_too_many_names_stay_together_and_the_plan_says_what_that_costs() -> None:
    names = [f"n{number}.example.test" for number in range(MAX_SINGLE_NAME_SHARDS + 1)]
    assert len(planned(*names[:-1]).slices) == MAX_SINGLE_NAME_SHARDS
    asked = planned(*names)
    assert len(asked.slices) == 1
    assert asked.notes[-1].startswith(
        f"{MAX_SINGLE_NAME_SHARDS + 1} names are more than {MAX_SINGLE_NAME_SHARDS}: scripts tell hosts their addresses"
    )


def test_excludes_go_along_with_names_alone_since_numbers_are_planned_without_them() -> None:
    asked = plan(
        a_request(targets=("10.0.0.0/24", "a.example.test"), parameters=("-sV",), exclude=("10.0.0.7",)),
        Permissions(SCOPE),
    )
    assert [(shard.addresses, shard.exclude) for shard in asked.shards("x")] == [(255, ()), (1, ("10.0.0.7",))]
    masked = plan(a_request(targets=("10.0.0.0/24", "b.corp.test/30"), exclude=("10.0.0.7",)), Permissions(SCOPE))
    assert [shard.exclude for shard in masked.shards("x")] == [("10.0.0.7",)] * 2  # what the mask makes is not known
