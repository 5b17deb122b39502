"""Two files of expected exposure → what the newer one adds, changes and removes, entry by entry; and
two checks by these files → which exposures open and which are resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import asdict

from cascan.exposure.check import CheckedPort
from cascan.exposure.expectations import ExpectedExposure, ExposureFile
from cascan.exposure.judge import VerdictKind
from cascan.model.inventory import PortKey


class Action(StrEnum):
    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


class FieldChange(msgspec.Struct, frozen=True):
    field: str
    before: str
    after: str


class EntryChange(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, or one setting, that differs."""

    action: Action
    subject: str  # `10.0.0.5 22,443`, or `settings.confirm`
    line: int | None = None  # of the newer file; of a removed entry, of the older one
    changes: tuple[FieldChange, ...] = ()


class ExposureKey(msgspec.Struct, frozen=True, order=True):
    vantage: str
    address: str
    name: str
    key: PortKey
    kind: VerdictKind


class ExposurePlan(msgspec.Struct, frozen=True, kw_only=True):
    entries: tuple[EntryChange, ...] = ()
    opens: tuple[CheckedPort, ...] = ()
    resolves: tuple[CheckedPort, ...] = ()

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.entries)

    @property
    def is_empty(self) -> bool:
        return not (self.entries or self.opens or self.resolves)


def build_plan(
    before: ExposureFile | None,
    after: ExposureFile,
    checked_before: Iterable[CheckedPort],
    checked_after: Iterable[CheckedPort],
) -> ExposurePlan:
    """`before`: the file that is applied; None: there is none, so that nothing has an exposure yet."""
    exposures_before = {_to_key(port): port for port in checked_before if _is_exposure(port)} if before else {}
    exposures_after = {_to_key(port): port for port in checked_after if _is_exposure(port)}
    opens = exposures_after.keys() - exposures_before.keys()
    resolves = exposures_before.keys() - exposures_after.keys()
    return ExposurePlan(
        entries=(*_compare_settings(before, after), *_compare_entries(before.entries if before else (), after.entries)),
        opens=tuple(exposures_after[key] for key in sorted(opens)),
        resolves=tuple(exposures_before[key] for key in sorted(resolves)),
    )


def _is_exposure(port: CheckedPort) -> bool:
    return port.verdict.kind is not VerdictKind.FINE


def _to_key(port: CheckedPort) -> ExposureKey:
    return ExposureKey(port.vantage, port.address, port.name, port.key, port.verdict.kind)


def _compare_settings(before: ExposureFile | None, after: ExposureFile) -> Iterable[EntryChange]:
    if before is None:
        return
    older, newer = asdict(before.settings), asdict(after.settings)
    for field, value in newer.items():
        if older[field] != value:
            change = FieldChange(to_camel(field), _to_text(older[field]), _to_text(value))
            yield EntryChange(action=Action.CHANGE, subject="settings", changes=(change,))


def _compare_entries(before: Sequence[ExpectedExposure], after: Sequence[ExpectedExposure]) -> tuple[EntryChange, ...]:
    """In the order of the newer file; removed entries at the end."""
    remaining = list(before)
    partners: dict[int, ExpectedExposure] = {}
    for is_partner in (_is_same, _is_same_place, _is_same_host):
        for index, entry in enumerate(after):
            if index in partners:
                continue
            partner = next((older for older in remaining if is_partner(older, entry)), None)
            if partner is not None:
                partners[index] = partner
                remaining.remove(partner)
    changes = []
    for index, entry in enumerate(after):
        if index not in partners:
            changes.append(EntryChange(action=Action.ADD, subject=describe_entry(entry), line=entry.line))
        elif differences := _compare_fields(partners[index], entry):
            changed = EntryChange(
                action=Action.CHANGE, subject=describe_entry(entry), line=entry.line, changes=differences
            )
            changes.append(changed)
    removed = (EntryChange(action=Action.REMOVE, subject=describe_entry(entry), line=entry.line) for entry in remaining)
    return (*changes, *removed)


def _is_same(older: ExpectedExposure, newer: ExpectedExposure) -> bool:
    return not _compare_fields(older, newer)


def _is_same_place(older: ExpectedExposure, newer: ExpectedExposure) -> bool:
    return (older.who, older.vantages, older.ports) == (newer.who, newer.vantages, newer.ports)


def _is_same_host(older: ExpectedExposure, newer: ExpectedExposure) -> bool:
    return older.who == newer.who and not set(older.ports).isdisjoint(newer.ports)


def _compare_fields(older: ExpectedExposure, newer: ExpectedExposure) -> tuple[FieldChange, ...]:
    before, after = _to_fields(older), _to_fields(newer)
    return tuple(FieldChange(field, before[field], text) for field, text in after.items() if before[field] != text)


def _to_fields(entry: ExpectedExposure) -> dict[str, str]:
    return {
        "who": entry.who,
        "ports": ", ".join(map(str, entry.ports)),
        "service": entry.service,
        "from": ", ".join(entry.vantages),
        "until": entry.until.isoformat() if entry.until else "",
        "why": entry.why,
        "required": _to_text(entry.required),
        "owner": entry.owner,
        "hosts": ", ".join([*map(str, entry.hosts.ranges), *entry.hosts.names]),
    }


def _to_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def to_camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


def describe_entry(entry: ExpectedExposure) -> str:
    """`payments 443, 53/udp from internet`"""
    vantages = f" from {', '.join(entry.vantages)}" if entry.vantages else ""
    return f"{entry.who} {', '.join(map(str, entry.ports))}{vantages}"
