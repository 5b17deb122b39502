"""What a process needs to reach the emulator instead of AWS, and nothing of what the person has configured for AWS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config

    from cascan_cli.local.endpoint import Endpoint

REGION = "us-east-1"
CREDENTIAL = "test"  # the emulator takes any; this one says what it is. The session token is what its guard reads
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")


class ClientOptions(TypedDict):
    endpoint_url: str
    config: Config


def bare_environment() -> dict[str, str]:
    """What a process of the stack inherits from ours: enough to find programs and to read text."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def aws_environment(endpoint: Endpoint) -> dict[str, str]:
    """Variables that point any AWS SDK at the emulator."""
    return {
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "AWS_SESSION_TOKEN": endpoint.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def use_endpoint(endpoint: Endpoint) -> None:
    """Have every AWS client that this process opens from now on talk to the emulator, directly."""
    os.environ.pop("AWS_PROFILE", None)  # it may name one that these empty files do not have
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}
    os.environ.update(aws_environment(endpoint) | nothing)


def open_session(endpoint: Endpoint) -> Session:
    """A session with the emulator's credentials, blind to profiles and configuration files."""
    import boto3  # 0.13 s that overlap the emulator's start
    import botocore.session

    blind = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    core = botocore.session.Session(session_vars=blind)
    return boto3.Session(CREDENTIAL, CREDENTIAL, endpoint.secret, region_name=REGION, botocore_session=core)


def client_options(endpoint: Endpoint) -> ClientOptions:
    """Arguments of `Session.client` that reach the emulator directly, whatever proxy is configured."""
    from botocore.config import Config

    return {
        "endpoint_url": endpoint.url,
        "config": Config(proxies={}, retries={"total_max_attempts": 2}, connect_timeout=5),
    }
