"""How a process reaches the emulator instead of AWS, without the user's own AWS configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config

    from cascan_cli.local.endpoint import Endpoint

REGION = "us-east-1"
CREDENTIAL = "test"  # the emulator accepts any; its guard checks the session token
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")


class ClientOptions(TypedDict):
    endpoint_url: str
    config: Config


def bare_environment() -> dict[str, str]:
    """The variables that a process of the stack inherits: to find programs and to read text."""
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
    """Connect every AWS client that this process opens from now on to the emulator."""
    from cascan.aws import clients  # imported here, because a process of the stack imports this module

    os.environ.pop("AWS_PROFILE", None)  # the profile is not in these empty files
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    os.environ.update(aws_environment(endpoint) | nothing)
    clients.use_token(endpoint.url, endpoint.secret)


def open_session(endpoint: Endpoint) -> Session:
    """A session with the emulator's credentials that ignores profiles and configuration files."""
    import boto3  # takes 0.13 s, while the emulator starts
    import botocore.session

    without_files = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
    }
    core = botocore.session.Session(session_vars=without_files)
    return boto3.Session(
        CREDENTIAL,
        CREDENTIAL,
        endpoint.secret,
        region_name=REGION,
        botocore_session=core,
    )


def client_options(endpoint: Endpoint) -> ClientOptions:
    """Arguments of `Session.client` for the emulator, without a proxy."""
    from botocore.config import Config

    return {
        "endpoint_url": endpoint.url,
        "config": Config(proxies={}, retries={"total_max_attempts": 2}, connect_timeout=5),
    }
