"""What one simulation varies: parameters of the stack, quotas of the account, and the load."""

from __future__ import annotations

from dataclasses import dataclass

# Source: "AWS Fargate throttling quotas", ECS Developer Guide; On-Demand and Spot have one each
LAUNCH_BURST, LAUNCHES_PER_S = 100, 20
# Source: "Configuring scaling behavior for SQS event source mappings", Lambda Developer Guide
FIRST_INVOCATIONS, MORE_INVOCATIONS_PER_MINUTE, MAX_INVOCATIONS = 5, 300, 1_000
ACCOUNT_INVOCATIONS = 1_000  # Lambda's quota of concurrent executions, once it has been raised from 10
TABLE_WRITES_PER_S = 4_000  # of a new on-demand table, and of its index; both grow with use
PARTITION_WRITES_PER_S = 1_000  # "Best practices for partition keys", DynamoDB Developer Guide
PARAMETERS = {  # of template.yaml, with the field of Setting
    "MaxWorkers": "max_workers",
    "ShardsPerWorker": "shards_per_worker",
    "ShardsPerScan": "shards_per_scan",
    "WorkerSlots": "worker_slots",
    "IdleExitSeconds": "idle_exit_s",
    "ExpressConcurrency": "express_concurrency",
    "PlanningConcurrency": "planners",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The defaults are those of template.yaml and of a new account."""

    name: str
    # Parameters of the stack
    max_workers: int = 20
    shards_per_worker: int = 2
    shards_per_scan: int = 40
    worker_slots: int = 1
    idle_exit_s: int = 60
    express_concurrency: int = 20
    planners: int = 20
    worker_vcpu: float = 0.5  # WorkerCpu / 1024
    # Quotas of the account
    vcpu_quota: float = 6  # of Fargate On-Demand, and again of Fargate Spot
    table_writes_per_s: float = TABLE_WRITES_PER_S
    # The load
    scans: int = 500
    shards: int = 100  # of each scan
    shard_s: float = 60.0  # nmap's time for a shard, on average; from half to one and a half of it
    seed: int = 1
