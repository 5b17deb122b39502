"""A shard's targets become addresses inside the scope, or a reason why not."""

from __future__ import annotations

from cascan.model.shard import TargetSlice
from cascan.permissions.scope import Scope
from on_shard_queued.pin_targets import PinnedTargets, pin_targets
from tests.fakes import FixedResolver
from tests.support.builders import a_shard

SCOPE = Scope.of(["127.0.0.0/8", "example.test"])
NAMES = {
    "inside.test": ["127.0.0.5", "127.0.0.6"],
    "mixed.test": ["127.0.0.5", "10.0.0.1"],
    "rebound.example.test": ["169.254.169.254"],
    "private.example.test": ["10.0.0.1"],
    "public.example.test": ["93.184.216.34"],
}


def pin(*slices: TargetSlice, **fields: object) -> PinnedTargets:
    return pin_targets(a_shard(slices=slices, **fields), scope=SCOPE, resolver=FixedResolver(NAMES))


def name(text: str) -> TargetSlice:
    return TargetSlice(text, 0, 1)


def test_a_slice_is_just_its_addresses() -> None:
    assert list(pin(TargetSlice("127.0.0.0/24", 3, 6)).addresses) == ["127.0.0.3", "127.0.0.4", "127.0.0.5"]


def test_overlapping_slices_ask_for_an_address_once() -> None:
    pinned = pin(TargetSlice("127.0.0.1-3", 0, 3), TargetSlice("127.0.0.2", 0, 1))
    assert list(pinned.addresses) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def test_excluded_addresses_are_left_out() -> None:
    assert list(pin(TargetSlice("127.0.0.0/30", 0, 4), exclude=("127.0.0.0/31",)).addresses) == [
        "127.0.0.2",
        "127.0.0.3",
    ]


def test_a_name_is_scanned_at_its_first_address_as_nmap_does() -> None:
    pinned = pin(name("inside.test"))
    assert list(pinned.addresses) == ["127.0.0.5"]
    assert pinned.resolved == {"inside.test": ("127.0.0.5",)}


def test_resolve_all_scans_every_address_of_a_name() -> None:
    assert list(pin(name("inside.test"), arguments=("--resolve-all",)).addresses) == ["127.0.0.5", "127.0.0.6"]


def test_a_name_with_one_address_outside_the_scope_is_not_scanned_at_all() -> None:
    pinned = pin(name("mixed.test"))
    assert not pinned.addresses
    assert pinned.refused == ["mixed.test: 10.0.0.1 (mixed.test) is outside AllowedTargets"]


def test_an_allowed_domain_does_not_vouch_for_metadata_or_private_addresses() -> None:
    assert not pin(name("rebound.example.test"), name("private.example.test")).addresses
    assert list(pin(name("public.example.test")).addresses) == ["93.184.216.34"]


def test_a_mask_on_a_name_needs_its_whole_block_inside() -> None:
    assert len(pin(TargetSlice("inside.test/30", 0, 4)).addresses) == 4
    assert not pin(TargetSlice("public.example.test/30", 0, 4)).addresses


def test_a_name_without_an_address_is_unresolved() -> None:
    assert pin(name("gone.test")).unresolved == ["gone.test"]


def test_a_scope_that_shrank_after_planning_stops_the_shard() -> None:
    pinned = pin(TargetSlice("10.0.0.0/24", 0, 2))
    assert not pinned.addresses
    assert "10.0.0.0" in pinned.refused[0]
