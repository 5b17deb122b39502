"""A name that changes what it stands for: between request and launch, between two tries, between two answers of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from cascan.gateways import Lookup
from cascan.limits import MAX_ADDRESSES_PER_NAME
from cascan.model.shard import NmapRun, ShardState, TargetSlice
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from on_shard_queued.delivery import Worker
from on_shard_queued.pin_targets import PinnedTargets, pin_targets
from on_shard_queued.run_shard import run_shard
from tests.fakes import dns_failure
from tests.support.builders import SCAN_ID, a_request, a_scan, a_shard, a_table, shard_queued, shard_token
from tests.support.workers import a_delivery, a_program, a_worker

SCOPE = Scope.of(["127.0.0.0/8", "10.0.0.0/16", "2001:db8::/32", "example.test"], ["10.0.9.0/24"])
NAME = "www.example.test"
PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
METADATA = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16"]
WRITES_A_REPORT = """#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -oX) report=$2;; -iL) targets=$2;; esac; shift; done
{ cat "$targets"; echo "</nmaprun>"; } > "$report"
"""


class RebindingResolver:
    """A resolver under an attacker's hand: each name gets the next answer."""

    def __init__(self, *answers: Sequence[str] | Lookup) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def look_up(self, names: Iterable[str], family: int, give_up: Callable[[], object] = bool) -> dict[str, Lookup]:
        return {name: self._lookup(name, family) for name in names}

    def _lookup(self, name: str, family: int) -> Lookup:
        self.asked.append((name, family))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Lookup) else Lookup(asked=name, addresses=tuple(answer))


def pin(*answers: Sequence[str] | Lookup, name: str = NAME, **fields: object) -> PinnedTargets:
    shard = a_shard(slices=(TargetSlice(name, 0, 1),), **fields)
    return pin_targets(shard, scope=SCOPE, resolver=RebindingResolver(*answers))


class TestOneAnswer:
    def test_a_name_is_never_scanned_at_a_metadata_address(self) -> None:
        for address in METADATA:
            for name in (NAME, "any.name.test"):
                pinned = pin([address], name=name)
                assert not pinned.addresses
                assert "never scanned" in pinned.refused[0] or "outside" in pinned.refused[0], pinned

    @pytest.mark.parametrize(
        "bad", ["169.254.169.254", "10.1.0.1", "10.0.9.9", "192.168.0.1", "0.0.0.1", "not-an-address"]
    )
    @pytest.mark.parametrize("place", [0, 1, 3])
    @pytest.mark.parametrize("arguments", [("-n",), ("--resolve-all",)])
    def test_one_bad_address_in_any_place_spoils_the_whole_name(
        self, bad: str, place: int, arguments: tuple[str, ...]
    ) -> None:
        answer = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        answer.insert(place, bad)
        pinned = pin(answer, arguments=arguments)
        assert not pinned.addresses
        assert not pinned.resolved
        assert len(pinned.refused) == 1
        assert bad in pinned.refused[0]

    def test_many_good_addresses_are_one_scanned_address_unless_all_are_asked_for(self) -> None:
        answer = [PUBLIC, "10.0.0.1", "127.0.0.1"]
        assert list(pin(answer).addresses) == [PUBLIC]
        assert list(pin(answer, arguments=("--resolve-all",)).addresses) == answer

    @pytest.mark.parametrize("arguments", [("-n",), ("--resolve-all",)])
    def test_a_bad_address_behind_many_good_ones_spoils_the_name_too(self, arguments: tuple[str, ...]) -> None:
        for bad in ("169.254.169.254", "10.1.0.1"):
            pinned = pin([*(f"10.0.0.{n}" for n in range(MAX_ADDRESSES_PER_NAME + 9)), bad], arguments=arguments)
            assert not pinned.addresses
            assert bad in pinned.refused[0]

    def test_of_a_flood_of_good_addresses_the_first_are_scanned_and_the_rest_are_told(self) -> None:
        answer = [f"10.0.0.{n}" for n in range(MAX_ADDRESSES_PER_NAME + 1)]
        pinned = pin(answer, arguments=("--resolve-all",))
        assert list(pinned.addresses) == answer[:-1]
        assert pinned.refused == [
            f"{NAME}: of its 17 addresses the first 16 are scanned; name the others by their numbers"
        ]
        assert pin(answer[:-1], arguments=("--resolve-all",)).refused == []
        assert pin(answer).refused == []  # its first address is what was asked for

    @pytest.mark.parametrize(
        "address",
        [*(f"::ffff:{address}" for address in METADATA), "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
         "::ffff:10.1.0.1", "::ffff:10.0.9.9", "2001:0:5ef5:79fd::1", "fd00:ec2::254", "fe80::1%eth0", "::", "fd00::1"],
    )  # fmt: skip
    def test_an_ipv6_answer_that_hides_or_is_a_forbidden_address_is_refused(self, address: str) -> None:
        pinned = pin([PUBLIC6, address], family=6)
        assert not pinned.addresses
        assert pinned.refused

    def test_a_mapped_answer_is_judged_as_the_ipv4_address_it_is(self) -> None:
        assert list(pin(["::ffff:10.0.0.1"], family=6).addresses) == ["::ffff:a00:1"]

    def test_no_address_is_unresolved_and_neither_refused_nor_scanned(self) -> None:
        pinned = pin([])
        assert (pinned.unresolved, pinned.refused, list(pinned.addresses)) == ([NAME], [], [])

    def test_one_bad_name_does_not_spoil_its_neighbours_nor_they_vouch_for_it(self) -> None:
        shard = a_shard(slices=tuple(TargetSlice(name, 0, 1) for name in (NAME, "b.example.test", "c.example.test")))
        pinned = pin_targets(shard, scope=SCOPE, resolver=RebindingResolver([PUBLIC], ["10.1.0.1"], []))
        assert list(pinned.addresses) == [PUBLIC]
        assert pinned.resolved == {NAME: (PUBLIC,)}
        assert (pinned.unresolved, len(pinned.refused)) == (["c.example.test"], 1)


class TestTwoAnswers:
    """A worker with a shell script for nmap, which reports the addresses it was given."""

    @staticmethod
    def worker(folder: Path, resolver: RebindingResolver) -> Worker:
        table = a_table(a_scan(), a_shard(slices=(TargetSlice(NAME, 0, 1),)))
        return a_worker(a_program(folder, WRITES_A_REPORT), table, scope=SCOPE, resolver=resolver)

    @staticmethod
    def run(worker: Worker) -> NmapRun:
        message = shard_queued()
        run_shard(message, a_delivery(), worker=worker)
        shard = worker.table.get_shard(SCAN_ID, 0, token=shard_token())
        assert shard
        assert shard.run
        return shard.run

    def test_a_name_is_asked_for_once_and_nmap_gets_the_number_that_was_judged(self, tmp_path: Path) -> None:
        resolver = RebindingResolver([PUBLIC], ["169.254.169.254"])
        worker = self.worker(tmp_path, resolver)
        run = self.run(worker)
        assert resolver.asked == [(NAME, 4)]
        assert list(worker.reports.objects.values()) == [f"{PUBLIC}\n</nmaprun>\n".encode()]  # type: ignore[attr-defined]
        assert NAME not in " ".join(run.argv[:-2])

    def test_a_name_that_moved_between_two_tries_is_judged_again(self, tmp_path: Path) -> None:
        worker = self.worker(tmp_path, RebindingResolver([PUBLIC], ["169.254.169.254"]))
        assert self.run(worker).resolved == {NAME: (PUBLIC,)}
        again = self.run(worker)
        assert (again.argv, again.resolved, again.exit_code) == ((), {}, None)
        assert "never scanned" in again.refused[0]

    def test_what_the_request_could_see_of_a_name_says_nothing_of_the_launch(self, tmp_path: Path) -> None:
        assert plan(a_request(targets=(NAME,)), Permissions(SCOPE)).addresses == 1  # no name is looked up here
        run = self.run(self.worker(tmp_path, RebindingResolver(["10.1.0.1"])))
        assert (run.argv, len(run.refused)) == ((), 1)

    def test_a_resolver_that_fails_leaves_the_shard_to_the_next_try_and_starts_no_nmap(self, tmp_path: Path) -> None:
        worker = self.worker(tmp_path, RebindingResolver(dns_failure(NAME), [PUBLIC]))
        message = shard_queued()
        tried = run_shard(message, a_delivery(), worker=worker)
        assert (tried.did, tried.error) == ("returned", f"{NAME}: DNS failed: SERVFAIL from 192.0.2.53")
        shard = worker.table.get_shard(SCAN_ID, 0, token=shard_token())
        assert shard
        assert (shard.state, shard.run) == (ShardState.RUNNING, None)  # until a function takes it back
        (returned,) = worker.returns.sent  # type: ignore[attr-defined]
        assert (returned.attempt, returned.failed, returned.error_description) == (1, True, tried.error)
        assert worker.reports.objects == {}  # type: ignore[attr-defined]
        assert self.run(worker).resolved == {NAME: (PUBLIC,)}
