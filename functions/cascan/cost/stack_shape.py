"""What of a stack decides on cost."""

from __future__ import annotations

import msgspec


class StackShape(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a stack that decide on cost; the defaults are those of the template."""

    vcpu: float = 0.5
    memory_gb: float = 1.0
    storage_gb: int = 21
    spot: bool = True
    public_ip: bool = True
    max_workers: int = 20
    worker_slots: int = 1
    idle_exit_s: int = 60
    shard_timeout_s: int = 14_400
    express_memory_gb: float = 1.0


STANDARD_SHAPE = StackShape()
