"""What of a stack decides on cost."""

from __future__ import annotations

import msgspec

CPU_UNITS = 1_024  # of one vCPU
MIB_PER_GIB = 1_024
ANY_WORKERS = 10_000  # more than a scan has shards in flight


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

    @classmethod
    def of_worker(cls, cpu: int, memory_mib: int, storage_gb: int) -> StackShape:
        """A stack with workers of so many CPU units, MiB and GB."""
        return cls(vcpu=cpu / CPU_UNITS, memory_gb=memory_mib / MIB_PER_GIB, storage_gb=storage_gb)

    def from_above(self) -> StackShape:
        """The dearest stack with workers of this size: what a budget is compared with."""
        return StackShape(
            vcpu=self.vcpu,
            memory_gb=self.memory_gb,
            storage_gb=self.storage_gb,
            spot=False,
            public_ip=True,
            max_workers=ANY_WORKERS,
            worker_slots=1,
        )


STANDARD_SHAPE = StackShape()
