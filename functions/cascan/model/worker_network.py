"""The network that workers run in. It decides what can answer them."""

from __future__ import annotations

from enum import StrEnum


class WorkerNetwork(StrEnum):
    """The values of WORKER_NETWORK in template.yaml."""

    SMALL_VPC = "small-vpc"  # made by the stack; its one route leads to the public Internet
    SUBNETS = "subnets"  # the operator's own
    MACHINE = "machine"  # this machine, without AWS
