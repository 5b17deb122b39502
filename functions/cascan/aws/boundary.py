"""What every gateway does at its boundary: translate the errors of boto3, and try again what was taken in part."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import TypeVar

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from cascan.errors import GatewayUnavailable

MAX_TRIES = 8  # of what was taken in part, or met another writer: 2 s of waiting on average, 4 s at most
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

T = TypeVar("T")


@contextmanager
def translate_errors(gateway: str) -> Iterator[None]:
    """Raises: GatewayUnavailable: boto3 raised; the message names the gateway, the cause is the error itself."""
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as exc:
        raise GatewayUnavailable(f"{gateway}: {exc}") from exc


def tries(most: int = MAX_TRIES, longest_pause_s: float = LONGEST_PAUSE_S) -> Iterator[int]:
    """0, 1 … `most` - 1, with a growing random pause before each but the first."""
    for number in range(most):
        if number:
            longest_s = min(longest_pause_s, FIRST_PAUSE_S * 2 ** (number - 1))
            sleep(random.uniform(0, longest_s))  # noqa: S311  # spreads writers out; nothing secret
        yield number


def error_code(exc: ClientError) -> str:
    return exc.response.get("Error", {}).get("Code", "")


def chunks(
    things: Iterable[T], size: int, *, weigh: Callable[[T], int] = lambda _: 0, below: int = 1
) -> Iterator[list[T]]:
    """The things in order, in lists of at most `size` that weigh less than `below`; a heavier thing stands alone."""
    chunk: list[T] = []
    weight = 0
    for thing in things:
        more = weigh(thing)
        if chunk and (len(chunk) == size or weight + more >= below):
            yield chunk
            chunk, weight = [], 0
        chunk.append(thing)
        weight += more
    if chunk:
        yield chunk
