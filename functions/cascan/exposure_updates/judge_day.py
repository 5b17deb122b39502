"""What the date changes, once a day: acceptances and entries that end, and ports that are untested."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from functools import partial

from msgspec.structs import replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.events import BusEvent, build_expiring_entry_event
from cascan.exposure.expectations import ExpectedExposure
from cascan.exposure.life import add_looks, pass_time, start_exposure
from cascan.exposure_updates.apply_severity_rules import apply_severity_rules
from cascan.exposure_updates.context import WatchContext
from cascan.exposure_updates.days import next_day
from cascan.exposure_updates.judge_inventory import ALL_ADDRESSES, judge_inventory, list_vantages
from cascan.exposure_updates.places import Place, group_by_network, list_required, to_address
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.inventory.looks import find_state
from cascan.limits import MAX_LOOKS_PER_NETWORK
from cascan.model.exposure import Exposure, ExposureDay, ExposureKind, ExposureState, ExposureSubject, JudgedLook
from cascan.model.inventory import OPEN_OR_FILTERED, PortKey
from cascan.model.vantage import DEFAULT_VANTAGE


def judge_day(
    context: WatchContext, *, vantage: str = "", after: str = "", left_s: TimeLeft = no_time_limit
) -> tuple[str, str]:
    """Make the daily check, while there is time.

    Returns the vantage, and the address behind which another turn goes on; both empty: it is done.
    A repeat is harmless. `vantage`: empty for the first turn.
    """
    now = context.clock()
    day = context.table.exposure_day() or ExposureDay(due_at=now)
    vantages = list_vantages(context)
    if not vantage:
        _end_acceptances(context, now)
        day = _warn_of_entries(context, day, now)
        vantage = vantages[0]
    if _has_ended_entry(context, day, now):
        for name in vantages[vantages.index(vantage) if vantage in vantages else 0 :]:
            _, after = judge_inventory(context, name, after=after, left_s=left_s)
            if after:
                return name, after
    _open_untested(context, vantages, now)
    context.table.put_exposure_day(replace(day, due_at=next_day(now), done_at=now))
    return "", ""


def _end_acceptances(context: WatchContext, now: datetime) -> None:
    """Accepted exposures whose acceptance is over, or ends soon."""
    change = partial(pass_time, now=now)
    for _, exposure in list(context.table.list_exposures(ExposureState.ACCEPTED)):
        changed = change_exposure(context.table, exposure, change)
        announce_moves(context.table, context.bus, [changed])


def _warn_of_entries(context: WatchContext, day: ExposureDay, now: datetime) -> ExposureDay:
    """Announce each entry that ends soon, once. Returns the day with those that were announced."""
    soon = {
        f"{entry.who}/{entry.line}/{entry.until}": entry
        for entry in context.index.file.entries
        if entry.expires_soon(now)
    }
    fresh = {name: entry for name, entry in soon.items() if name not in day.warned_of}
    if fresh:
        context.bus.put(_build_warning(entry, entry.until, now) for entry in fresh.values() if entry.until)
    warned = replace(day, warned_of=tuple(soon))
    context.table.put_exposure_day(warned)
    return warned


def _build_warning(entry: ExpectedExposure, until: date, now: datetime) -> BusEvent:
    return build_expiring_entry_event(
        line=entry.line, who=entry.who, owner=entry.owner, why=entry.why, until=until, at=now
    )


def _has_ended_entry(context: WatchContext, day: ExposureDay, now: datetime) -> bool:
    """Whether an entry has ended since the last check that was completed."""
    since = day.done_at or now - timedelta(days=1)
    return any(entry.is_expired(now) and not entry.is_expired(since) for entry in context.index.file.entries)


# ---- untested ports


def _open_untested(context: WatchContext, vantages: Collection[str], now: datetime) -> None:
    """Open an exposure for each required port that no look has tested for `untestedAfterDays`.

    An entry without vantages is met by a look from any of them; its exposure has the vantage
    `default`.
    """
    tested = _TestedPorts(context, vantages, now)
    for family, interval in ALL_ADDRESSES.items():
        places = sorted(set(_list_required(context, vantages, family, interval)))
        for network in group_by_network(map(to_address, places)):
            announce_moves(context.table, context.bus, list(tested.judge(network)))


def _list_required(
    context: WatchContext, vantages: Collection[str], family: int, interval: tuple[int, int]
) -> Iterator[Place]:
    named = {name for entry in context.index.file.entries for name in entry.vantages}
    for vantage in named | set(vantages):
        yield from list_required(context.index, vantage, family, interval)


class _TestedPorts:
    def __init__(self, context: WatchContext, vantages: Collection[str], now: datetime) -> None:
        self._context = context
        self._vantages = sorted({*vantages, *(name for entry in context.index.file.entries for name in entry.vantages)})
        self._now = now
        self._days = context.settings.untested_after_days

    def judge(self, addresses: list[str]) -> Iterator[Exposure]:
        """The untested exposures of hosts that share a network."""
        required = dict(self._list_required(addresses))
        tested = {vantage: self._find_tested(addresses, vantage) for vantage in self._vantages}
        for (address, key), entry in required.items():
            if entry.vantages:
                missing = [name for name in entry.vantages if (address, key) not in tested[name]]
            else:
                is_tested = any((address, key) in ports for ports in tested.values())
                missing = [] if is_tested else [DEFAULT_VANTAGE]
            for vantage in missing:
                yield from self._store(address, key, vantage, entry)

    def _list_required(self, addresses: list[str]) -> Iterator[tuple[tuple[str, PortKey], ExpectedExposure]]:
        for address in addresses:
            for held in self._context.index.find_entries(address):
                if held.entry.required and not held.entry.is_expired(self._now):
                    for ports in held.entry.ports:
                        yield from (((address, key), held.entry) for key in ports.keys)

    def _find_tested(self, addresses: list[str], vantage: str) -> set[tuple[str, PortKey]]:
        """The required ports that a look since then says something of."""
        waiting: dict[str, set[PortKey]] = {}
        for (address, key), _ in self._list_required(addresses):
            waiting.setdefault(address, set()).add(key)
        tested: set[tuple[str, PortKey]] = set()
        since = self._now - timedelta(days=self._days)
        looks = self._context.table.looks_until(addresses, self._now, since=since, vantage=vantage)
        for number, look in enumerate(looks):
            for key in list(waiting.get(look.address, ())):
                if find_state(look, key) not in (None, OPEN_OR_FILTERED):
                    tested.add((look.address, key))
                    waiting[look.address].discard(key)
            if not any(waiting.values()) or number >= MAX_LOOKS_PER_NETWORK:
                break
        return tested

    def _store(self, address: str, key: PortKey, vantage: str, entry: ExpectedExposure) -> Iterator[Exposure]:
        subject = ExposureSubject(
            vantage=vantage, address=address, kind=ExposureKind.UNTESTED, protocol=key[0], port=key[1]
        )
        blank = start_exposure(subject)
        exposure = self._context.table.get_exposure(blank.exposure_id) or blank
        if exposure.is_active and not exposure.pending:
            return
        day = self._now.date()
        look = JudgedLook(seen_at=self._now, report_key=f"untested on {day}", holds=True)
        sentence = f"line {entry.line} requires it, and no look has tested it for {self._days} days"

        def change(current: Exposure) -> Exposure:
            opened = add_looks(current, [look], self._now)
            opened = replace(
                opened, sentence=sentence, line=entry.line, owner=entry.owner, judged_by=self._context.version
            )
            return apply_severity_rules(opened, self._context.rules, self._now)

        yield change_exposure(self._context.table, exposure, change)
