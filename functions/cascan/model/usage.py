"""What a scan used of what is paid for by time, and what that has cost."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Capacity(StrEnum):
    """What the time of a worker is paid as."""

    LAMBDA = "lambda"
    SPOT = "spot"  # Fargate Spot
    ON_DEMAND = "on-demand"  # Fargate


CAPACITY_VARIABLE = "CAPACITY"  # in a task's environment, its Capacity


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What workers did for a shard or a scan, attempts that failed included."""

    lambda_ms: int = 0
    spot_ms: int = 0
    on_demand_ms: int = 0
    attempts: int = 0
    report_bytes: int = 0  # of the reports that were recorded

    @classmethod
    def of_time(cls, capacity: Capacity, milliseconds: int) -> Usage:
        return cls(**{TIME_FIELDS[capacity]: max(0, milliseconds)})

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in USAGE_FIELDS})

    @property
    def counts(self) -> dict[str, int]:
        """The fields that are not 0, by name."""
        return {name: getattr(self, name) for name in USAGE_FIELDS if getattr(self, name)}


TIME_FIELDS = {Capacity.LAMBDA: "lambda_ms", Capacity.SPOT: "spot_ms", Capacity.ON_DEMAND: "on_demand_ms"}
USAGE_FIELDS = Usage.__struct_fields__
NO_USAGE = Usage()


class CostBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner knew of a scan's cost. Dollars are those of its estimate, a low and a high end."""

    vcpu: float  # of a worker on Fargate
    memory_gb: float
    storage_gb: float
    estimate_usd: tuple[float, float]
    traffic_usd: tuple[float, float]  # the part of the estimate that is traffic


class ScanCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan has cost, in US dollars: docs/cost.md says what is in it."""

    usd: float
    parts: dict[str, float]  # they add up to it
    estimate_usd: tuple[float, float] | None = None  # the estimate when it was planned
