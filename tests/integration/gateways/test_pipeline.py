"""Single writes in flight at once: what is sent, tried again, and given up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from cascan.aws.dynamodb.connection_pool import MAX_CONNECTIONS
from cascan.aws.dynamodb.pipeline import Write, write_each
from cascan.errors import GatewayUnavailable
from tests.integration.gateways.table_server import Asked, TableServer, Told
from tests.integration.gateways.test_batch_write import server  # noqa: F401 - a fixture


def writes(count: int) -> Iterator[Write]:
    return (Write("PutItem", {"Item": {"pk": {"S": str(number)}}}) for number in range(count))


def number_of(asked: Asked) -> int:
    return int(json.loads(asked.body)["Item"]["pk"]["S"])


def error(code: str) -> Told:
    return Told(400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}"})


def once(told: Told) -> Callable[[Asked], Told | None]:
    """The first call gets this answer."""
    return lambda asked: told if asked.number == 0 else None


def test_each_write_is_a_call_and_connections_are_used_again(server: TableServer) -> None:  # noqa: F811
    assert write_each(writes(50)) == [True] * 50
    assert sorted(map(number_of, server.asked)) == list(range(50))
    assert server.connections < MAX_CONNECTIONS
    assert server.asked[0].headers["X-Amz-Target"].endswith(".PutItem")


def test_a_failed_condition_is_told_of_its_write_alone(server: TableServer) -> None:  # noqa: F811
    server.tell = lambda asked: error("ConditionalCheckFailedException") if number_of(asked) % 3 == 1 else None
    assert write_each(writes(9)) == [number % 3 != 1 for number in range(9)]


@pytest.mark.parametrize(
    "told",
    [
        error("ProvisionedThroughputExceededException"),
        error("TransactionConflictException"),
        Told(500, {"__type": "InternalServerError"}),
        Told(hangs_up=True),
    ],
    ids=["throttled", "held by a transaction", "server error", "lost connection"],
)
def test_a_write_that_the_table_was_too_busy_for_is_sent_again(server: TableServer, told: Told) -> None:  # noqa: F811
    server.tell = once(told)
    assert write_each(writes(3)) == [True] * 3
    assert len(server.asked) == 4


def test_a_refused_write_is_an_error_and_the_connections_still_work(server: TableServer) -> None:  # noqa: F811
    server.tell = lambda asked: error("AccessDeniedException") if number_of(asked) == 2 else None
    with pytest.raises(GatewayUnavailable, match="AccessDenied"):
        write_each(writes(20))
    server.tell = lambda _: None
    assert write_each(writes(20)) == [True] * 20


def test_a_table_that_stays_busy_is_an_error(server: TableServer) -> None:  # noqa: F811
    server.tell = lambda _: error("TransactionConflictException")
    with pytest.raises(GatewayUnavailable, match="could not be written"):
        write_each(writes(1))


def test_nothing_to_write_makes_no_call(server: TableServer) -> None:  # noqa: F811
    assert write_each([]) == []
    assert server.asked == []
