"""The AWS clients, built on first use and shared by all gateways of a process.

boto3 finds the region and the endpoint. STACK_REGION overrides the region for every service but ECS:
the workers of a vantage, and their launcher, may run in another region than the stack.

botocore tries a call up to MAX_ATTEMPTS times in its standard mode (backoff, jitter, a retry quota);
after that, the caller's message returns to its queue. botocore does not retry a batch of which the
service did only a part: the gateways do.

boto3 is imported when it is needed, because a command on the local stack may do without it
(token_client.py). Functions call `load`, so that it is imported while they start.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from cascan.aws.token_client import Read, TokenClient, TokenEndpoint

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

MAX_ATTEMPTS = 4
CONNECT_TIMEOUT_S = 3  # also across an ocean


_token_endpoints: list[TokenEndpoint] = []  # one, if DynamoDB and SQS are called with a token


def use_token(endpoint_url: str, token: str, read: Read | None = None) -> None:
    """Call DynamoDB and SQS at this endpoint with the token, from the next use of a client on.

    With `read`, that answers the calls of DynamoDB.
    """
    _token_endpoints[:] = [TokenEndpoint(endpoint_url, token, read)]
    forget()


def load() -> None:
    """Import what the clients need. In the init phase of a function, Lambda gives it a whole processor."""
    import boto3  # noqa: F401, PLC0415

    from cascan.aws.dynamodb import connection, signing  # noqa: F401, PLC0415


@cache
def session() -> boto3.Session:
    import boto3  # noqa: PLC0415 - see above

    return boto3.Session(region_name=os.environ.get("STACK_REGION") or None)


@cache
def dynamodb() -> DynamoDBClient:
    if _token_endpoints:
        return cast("DynamoDBClient", _build_token_client("dynamodb"))
    return session().client("dynamodb", config=_config(read_timeout_s=5, checks_parameters=False))


@cache
def s3() -> S3Client:
    return session().client("s3", config=_config(read_timeout_s=60))


@cache
def events() -> EventBridgeClient:
    return session().client("events", config=_config(read_timeout_s=10, checks_parameters=False))


@cache
def sqs() -> SQSClient:
    if _token_endpoints:
        return cast("SQSClient", _build_token_client("sqs"))
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
    import boto3  # noqa: PLC0415 - see above

    here = boto3.Session().region_name
    return session().client("ecs", region_name=here, config=_config(read_timeout_s=20))


@cache
def securityhub() -> SecurityHubClient:
    return session().client("securityhub", config=_config(read_timeout_s=30, checks_parameters=False))


def forget() -> None:
    """Drop the session and the clients; the next use builds new ones, with new credentials."""
    for built in (session, dynamodb, s3, events, sqs, scheduler, ecs, securityhub, sns, ssm):
        built.cache_clear()


def _build_token_client(service: str) -> object:
    return TokenClient(service, _token_endpoints[0])


def _config(read_timeout_s: int, *, checks_parameters: bool = True, attempts: int = MAX_ATTEMPTS) -> Config:
    from botocore.config import Config  # noqa: PLC0415 - see above

    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,  # a worker may not make a call for hours
        # Checking takes half the CPU of a batch write, and mypy checks the parameters as well.
        parameter_validation=checks_parameters,
    )
