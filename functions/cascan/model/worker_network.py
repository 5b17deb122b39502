"""The network that workers run in. It decides what can answer them."""

from __future__ import annotations

from enum import StrEnum


class WorkerNetwork(StrEnum):
    """The values of WORKER_NETWORK in template.yaml."""

    SMALL_VPC = "small-vpc"  # made by the stack (WorkerNetwork=public): public addresses and an internet gateway
    NAT = "nat"  # made by the stack: private subnets behind a NAT gateway with a fixed address
    ENDPOINTS = "endpoints"  # made by the stack: private subnets with endpoints for AWS, and no way to the Internet
    SUBNETS = "subnets"  # the operator's own
    MACHINE = "machine"  # this machine, without AWS

    @classmethod
    def of_stack(cls, made: str, subnets: str) -> WorkerNetwork:
        """From the parameters WorkerNetwork and WorkerSubnets. Raises: ValueError: WorkerNetwork is unknown."""
        if subnets:
            return cls.SUBNETS
        return cls.SMALL_VPC if made == PUBLIC else cls(made)


PUBLIC = "public"  # the parameter's word for SMALL_VPC, and its default
# Workers have no public address there, and the express function runs beside them.
PRIVATE_NETWORKS = (WorkerNetwork.NAT, WorkerNetwork.ENDPOINTS)
