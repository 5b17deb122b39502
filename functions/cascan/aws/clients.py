"""The AWS clients, built on first use and shared by all gateways of a process.

boto3 finds the region and the endpoint. STACK_REGION overrides the region for every service but ECS:
the workers of a vantage, and their launcher, may run in another region than the stack.

botocore tries a call up to MAX_ATTEMPTS times in its standard mode (backoff, jitter, a retry quota);
after that, the caller's message returns to its queue. botocore does not retry a batch of which the
service did only a part: the gateways do.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

MAX_ATTEMPTS = 4
CONNECT_TIMEOUT_S = 3  # also across an ocean


@cache
def session() -> boto3.Session:
    return boto3.Session(region_name=os.environ.get("STACK_REGION") or None)


@cache
def dynamodb() -> DynamoDBClient:
    return session().client("dynamodb", config=_config(read_timeout_s=5, checks_parameters=False))


@cache
def s3() -> S3Client:
    return session().client("s3", config=_config(read_timeout_s=60))


@cache
def events() -> EventBridgeClient:
    return session().client("events", config=_config(read_timeout_s=10, checks_parameters=False))


@cache
def sqs() -> SQSClient:
    return session().client("sqs", config=_config(read_timeout_s=30))  # a long poll takes 20 s


@cache
def scheduler() -> EventBridgeSchedulerClient:
    return session().client("scheduler", config=_config(read_timeout_s=20))


@cache
def sns() -> SNSClient:
    """One attempt a call: a message is sent again by who sends it, and never twice."""
    return session().client("sns", config=_config(read_timeout_s=10, attempts=1))


@cache
def ssm() -> Any:
    return session().client("ssm", config=_config(read_timeout_s=5))


@cache
def ecs() -> ECSClient:
    """In the region of this process: a launcher starts workers where it is."""
    here = boto3.Session().region_name
    return session().client("ecs", region_name=here, config=_config(read_timeout_s=20))


def forget() -> None:
    """Drop the session and the clients; the next use builds new ones, with new credentials."""
    for built in (session, dynamodb, s3, events, sqs, scheduler, sns, ssm, ecs):
        built.cache_clear()


def _config(read_timeout_s: int, *, checks_parameters: bool = True, attempts: int = MAX_ATTEMPTS) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,  # a worker may not make a call for hours
        # Checking takes half the CPU of a batch write, and mypy checks the parameters as well.
        parameter_validation=checks_parameters,
    )
