"""SqsShardQueues sends shard messages to the queue of their lane, up to ten in a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from cascan.aws import clients
from cascan.aws.boundary import chunks, translate_errors, tries
from cascan.errors import GatewayUnavailable
from cascan.events import ShardQueued
from cascan.model.shard import Lane
from cascan.model.vantage import DEFAULT_VANTAGE, Vantage

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

GATEWAY = "shard queues"
MAX_ENTRIES = 10  # SendMessageBatch; ten of our messages are far below its 1 MiB
WAITING: Final = "ApproximateNumberOfMessages"
HELD: Final = "ApproximateNumberOfMessagesNotVisible"
Counted = Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class SqsShardQueues:
    """ShardQueues on SQS. Messages that SQS rejects are sent again.

    Raises: KeyError: the URL of the lane's queue is missing.
    """

    def __init__(
        self,
        queue_urls: Mapping[Lane, str],
        find_vantage: Callable[[str], Vantage | None] = lambda _name: None,
    ) -> None:
        self._queue_urls = dict(queue_urls)
        self._find_vantage = find_vantage

    @classmethod
    def of(
        cls, *, express: str, connect: str, raw: str, find_vantage: Callable[[str], Vantage | None]
    ) -> SqsShardQueues:
        """From the URLs of the stack's three queues. `find_vantage`: the record of another vantage."""
        urls = {Lane.EXPRESS: express, Lane.CONNECT: connect, Lane.RAW: raw}
        return cls(urls, find_vantage=find_vantage)

    def send(
        self,
        lane: Lane,
        messages: Iterable[ShardQueued],
        *,
        delay_s: int = 0,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        url = self._choose_url(lane, vantage)
        for chunk in chunks(messages, MAX_ENTRIES):
            entries = [_build_entry(number, message) for number, message in enumerate(chunk)]
            for entry in entries if delay_s else ():
                entry["DelaySeconds"] = delay_s
            _send_all(url, entries)

    def waiting(self, lane: Lane) -> int:
        return self._count(lane, WAITING)

    def held(self, lane: Lane) -> int:
        return self._count(lane, HELD)

    def _count(self, lane: Lane, attribute: Counted) -> int:
        with translate_errors(GATEWAY):
            answer = clients.sqs().get_queue_attributes(
                QueueUrl=self._queue_urls[lane],
                AttributeNames=[attribute],
            )
        return int(answer["Attributes"][attribute])

    def _choose_url(self, lane: Lane, vantage: str) -> str:
        """Raises: GatewayUnavailable: the vantage has no queue for the lane."""
        if vantage == DEFAULT_VANTAGE:
            return self._queue_urls[lane]
        record = self._find_vantage(vantage)
        if record is None or lane.value not in record.queues:
            raise GatewayUnavailable(f"{GATEWAY}: vantage {vantage} has no queue for {lane} shards")
        return record.queues[lane.value]


def _send_all(url: str, entries: list[Entry]) -> None:
    error_codes: set[str] = set()
    for _ in tries():
        with translate_errors(GATEWAY):
            answer = clients.sqs().send_message_batch(QueueUrl=url, Entries=entries)
        failed = {failure["Id"]: failure["Code"] for failure in answer.get("Failed", ())}
        error_codes = set(failed.values())
        entries = [entry for entry in entries if entry["Id"] in failed]
        if not entries:
            return
    codes = ", ".join(sorted(error_codes))
    raise GatewayUnavailable(f"{GATEWAY}: {len(entries)} messages were not taken: {codes}")


def _build_entry(number: int, message: ShardQueued) -> Entry:
    return {"Id": str(number), "MessageBody": message.to_wire()}
