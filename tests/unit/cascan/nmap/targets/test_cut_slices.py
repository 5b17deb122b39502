"""A shard that was broken off is cut so that every address is on one side, and those that are left on the other."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.targets.cut_slices import Slices, cut_slices
from cascan.nmap.targets.slices import enumerate_slice
from tests.support.builders import a_shard

NET = "10.0.0.0/24"


def addresses(slices: Iterable[TargetSlice], resolved: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [address for piece in slices for address in enumerate_slice(piece, 4, resolved)]


def cut(shard: Shard, *left: str, **resolved: tuple[str, ...]) -> tuple[Slices, Slices]:
    return cut_slices(shard, {name.replace("_", "."): found for name, found in resolved.items()}, set(left))


def test_what_is_left_at_the_end_of_a_network_is_one_slice() -> None:
    shard = a_shard(slices=(TargetSlice(NET, 10, 20),))
    done, rest = cut(shard, *(f"10.0.0.{n}" for n in range(14, 20)))
    assert (done, rest) == ((TargetSlice(NET, 10, 14),), (TargetSlice(NET, 14, 20),))


def test_hosts_that_were_finished_here_and_there_leave_the_addresses_between_them() -> None:
    shard = a_shard(slices=(TargetSlice(NET, 0, 4), TargetSlice("10.0.1.0/24", 7, 9)))
    done, rest = cut(shard, "10.0.0.0", "10.0.0.2", "10.0.1.8")
    assert done == (TargetSlice(NET, 1, 2), TargetSlice(NET, 3, 4), TargetSlice("10.0.1.0/24", 7, 8))
    assert rest == (TargetSlice(NET, 0, 1), TargetSlice(NET, 2, 3), TargetSlice("10.0.1.0/24", 8, 9))


@pytest.mark.parametrize(("left", "is_left"), [((), False), (("10.9.0.2",), True), (("10.9.0.1", "10.9.0.2"), True)])
def test_a_name_stays_whole_and_is_left_while_one_of_its_addresses_is(left: tuple[str, ...], is_left: bool) -> None:
    name = TargetSlice("db.test", 0, 1)
    done, rest = cut(a_shard(slices=(name,)), *left, db_test=("10.9.0.1", "10.9.0.2"))
    assert (done, rest) == (((), (name,)) if is_left else ((name,), ()))


def test_what_nmap_was_not_asked_is_not_asked_again() -> None:
    shard = a_shard(slices=(TargetSlice("gone.test", 0, 1), TargetSlice(NET, 0, 8)), exclude=("10.0.0.2",))
    done, rest = cut(shard, "10.0.0.6")  # 10.0.0.2 is no more left than the name without an address
    assert rest == (TargetSlice(NET, 6, 7),)
    assert done == (TargetSlice("gone.test", 0, 1), TargetSlice(NET, 0, 6), TargetSlice(NET, 7, 8))


@pytest.mark.parametrize("seed", range(30))
def test_no_address_that_is_left_is_lost_none_is_on_both_sides_and_neither_side_is_too_long(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same cuts in every run
    many, most = chance.choice([(1, 1024), (3, 900), (400, 8), (512, 4)])
    slices = [TargetSlice(f"10.{n // 64}.{n % 64 * 4}.0/22", 0, chance.randrange(1, most)) for n in range(many)]
    slices += [TargetSlice("db.test", 0, 1)] * chance.randrange(2)
    shard, resolved = a_shard(slices=tuple(slices[:512])), {"db.test": ("10.200.0.1", "10.200.0.2")}
    asked = addresses(shard.slices, resolved)
    left = {address for address in asked if chance.random() < chance.choice([0.01, 0.5, 0.99])}
    done, rest = cut_slices(shard, resolved, left)
    assert max(len(done), len(rest)) <= MAX_SLICES_PER_SHARD
    on_done, on_rest = addresses(done, resolved), addresses(rest, resolved)
    assert sorted(on_done + on_rest) == sorted(asked)
    assert left <= set(on_rest)
    assert all(piece.start < piece.stop for piece in done + rest)


def test_a_few_fragments_are_cut_exactly() -> None:
    shard = a_shard(slices=(TargetSlice("10.0.0.0/22", 0, 1024),))
    asked = addresses(shard.slices, {})
    left = set(asked[::4])
    done, rest = cut_slices(shard, {}, left)
    assert set(addresses(rest, {})) == left
    assert len(done) == len(rest) == 256
