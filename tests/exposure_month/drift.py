"""The network of a month, and what changes in it: ports, services, hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from cascan.model.exposure import ExposureKind

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 30
HOSTS = 12
DRIFTS_OF_EACH_KIND = 2
EXPECTED = {22: "ssh", 80: "http", 443: "https", 5432: "postgresql"}
UNEXPECTED_PORT, UNEXPECTED_SERVICE = 6379, "redis"
OTHER_SERVICE = "socks5"
SCANNED_PORTS = tuple(sorted({*EXPECTED, UNEXPECTED_PORT, *range(8000, 8060)}))
FIRST_DAY, LAST_DAY = 2, 20  # on which a drift begins
SHORTEST, LONGEST = 4, 8  # days that it lasts
FILE = "expected:\n" + "".join(
    f"- {{who: 10.0.0.0/24, ports: [{number}], service: {service}, required: true}}\n"
    for number, service in EXPECTED.items()
)


class DriftKind(StrEnum):
    PORT_OPENS = "a port opens"
    PORT_CLOSES = "a port closes"
    SERVICE_CHANGES = "a service changes"
    HOST_LEAVES = "a host leaves"


EXPOSURE_KINDS = {
    DriftKind.PORT_OPENS: ExposureKind.UNEXPECTED_OPEN,
    DriftKind.PORT_CLOSES: ExposureKind.MISSING,
    DriftKind.SERVICE_CHANGES: ExposureKind.OTHER_SERVICE,
    DriftKind.HOST_LEAVES: ExposureKind.ABSENT,
}


@dataclass(frozen=True)
class Drift:
    """A deviation from what is expected, from its begin until its end."""

    kind: DriftKind
    address: str
    ports: tuple[int, ...]  # that are concerned
    begins_at: datetime
    ends_at: datetime

    @property
    def exposure_kind(self) -> ExposureKind:
        return EXPOSURE_KINDS[self.kind]

    def holds_at(self, moment: datetime) -> bool:
        return self.begins_at <= moment < self.ends_at


ADDRESSES = tuple(f"10.0.0.{number}" for number in range(1, HOSTS + 1))


def draw_drifts(random: Random) -> list[Drift]:
    """Drifts of every kind, each at a host of its own; some hosts have none."""
    kinds = [kind for kind in DriftKind for _ in range(DRIFTS_OF_EACH_KIND)]
    addresses = random.sample(ADDRESSES, len(kinds))
    return [_draw_drift(kind, address, random) for kind, address in zip(kinds, addresses, strict=True)]


def _draw_drift(kind: DriftKind, address: str, random: Random) -> Drift:
    ports = {
        DriftKind.PORT_OPENS: (UNEXPECTED_PORT,),
        DriftKind.HOST_LEAVES: tuple(EXPECTED),
    }.get(kind, (random.choice(list(EXPECTED)),))
    begins_at = START + timedelta(days=random.uniform(FIRST_DAY, LAST_DAY))
    lasts = timedelta(days=random.uniform(SHORTEST, LONGEST))
    return Drift(kind, address, ports, begins_at, begins_at + lasts)


def find_services(address: str, drifts: list[Drift], moment: datetime) -> dict[int, str] | None:
    """The open ports of the host at the moment; None: it is not there."""
    services = dict(EXPECTED)
    for drift in _list_active(address, drifts, moment):
        if drift.kind is DriftKind.HOST_LEAVES:
            return None
        for number in drift.ports:
            if drift.kind is DriftKind.PORT_OPENS:
                services[number] = UNEXPECTED_SERVICE
            elif drift.kind is DriftKind.PORT_CLOSES:
                del services[number]
            else:
                services[number] = OTHER_SERVICE
    return services


def _list_active(address: str, drifts: list[Drift], moment: datetime) -> Iterator[Drift]:
    return (drift for drift in drifts if drift.address == address and drift.holds_at(moment))
