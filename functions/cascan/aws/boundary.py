"""What all gateways on AWS share: translating errors, pauses between tries, and batches."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from cascan.errors import GatewayUnavailable

# Of a call of which the service did only a part, or that met another writer: the pauses add up to
# 2 s on average, and to 4 s at most.
MAX_TRIES = 8
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

T = TypeVar("T")


@contextmanager
def translate_errors(gateway: str) -> Iterator[None]:
    """Turn the errors of boto3 into GatewayUnavailable, naming the gateway and the request.

    Raises: GatewayUnavailable: boto3 raised an error, which is its cause.
    """
    try:
        yield
    except Exception as exc:
        if not _is_aws_error(exc):
            raise
        raise GatewayUnavailable(f"{gateway}: {exc}{_name_request(exc)}") from exc


def _is_aws_error(exc: Exception) -> bool:
    if isinstance(exc, ClientError | BotoCoreError):
        return True
    # Importing it would import all of boto3; while it is not imported, it cannot be raised
    boto3_exceptions = sys.modules.get("boto3.exceptions")
    return boto3_exceptions is not None and isinstance(exc, boto3_exceptions.Boto3Error)


def tries(limit: int = MAX_TRIES, longest_pause_s: float = LONGEST_PAUSE_S) -> Iterator[int]:
    """Count 0, 1 … `limit` - 1, with a random pause of growing length before each but the first."""
    for number in range(limit):
        if number:
            longest_s = min(longest_pause_s, FIRST_PAUSE_S * 2 ** (number - 1))
            sleep(random.uniform(0, longest_s))  # noqa: S311  # spreads writers out; nothing secret
        yield number


def _name_request(exc: Exception) -> str:
    """The id by which AWS finds the request; empty if the error has none."""
    metadata = exc.response.get("ResponseMetadata", {}) if isinstance(exc, ClientError) else {}
    request_id = metadata.get("RequestId", "")
    return f" (request {request_id})" if request_id else ""


def error_code(exc: ClientError) -> str:
    return exc.response.get("Error", {}).get("Code", "")


def chunks(
    values: Iterable[T], size: int, *, weigh: Callable[[T], int] = lambda _: 0, below: int = 1
) -> Iterator[list[T]]:
    """The values in order, in lists of at most `size` that together weigh less than `below`.

    A value that alone weighs `below` or more gets a list of its own.
    """
    chunk: list[T] = []
    chunk_weight = 0
    for value in values:
        weight = weigh(value)
        if chunk and (len(chunk) == size or chunk_weight + weight >= below):
            yield chunk
            chunk, chunk_weight = [], 0
        chunk.append(value)
        chunk_weight += weight
    if chunk:
        yield chunk
