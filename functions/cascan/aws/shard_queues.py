"""SqsShardQueues: shard messages into the queue of their lane, ten in a call, each again until it was taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from cascan.aws import clients
from cascan.aws.boundary import chunks, translated, tries
from cascan.errors import GatewayUnavailable
from cascan.events import ShardQueued
from cascan.model.shard import Lane

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

GATEWAY = "shard queues"
MAX_ENTRIES = 10  # SendMessageBatch; ten of our messages are far below its 1 MiB
WAITING: Final = "ApproximateNumberOfMessages"


class SqsShardQueues:
    """ShardQueues on SQS; a lane without a queue URL is a KeyError."""

    def __init__(self, queue_urls: Mapping[Lane, str]) -> None:
        self._queue_urls = dict(queue_urls)

    @classmethod
    def of(cls, *, express: str, connect: str, raw: str) -> SqsShardQueues:
        """From the URLs of the three queues."""
        return cls({Lane.EXPRESS: express, Lane.CONNECT: connect, Lane.RAW: raw})

    def send(self, lane: Lane, messages: Iterable[ShardQueued]) -> None:
        for chunk in chunks(messages, MAX_ENTRIES):
            self._send_all(lane, [{"Id": str(n), "MessageBody": m.to_wire()} for n, m in enumerate(chunk)])

    def waiting(self, lane: Lane) -> int:
        with translated(GATEWAY):
            answer = clients.sqs().get_queue_attributes(QueueUrl=self._queue_urls[lane], AttributeNames=[WAITING])
        return int(answer["Attributes"][WAITING])

    def _send_all(self, lane: Lane, entries: list[Entry]) -> None:
        why: set[str] = set()
        for _ in tries():
            with translated(GATEWAY):
                answer = clients.sqs().send_message_batch(QueueUrl=self._queue_urls[lane], Entries=entries)
            failed = {failure["Id"]: failure["Code"] for failure in answer.get("Failed", ())}
            why = set(failed.values())
            entries = [entry for entry in entries if entry["Id"] in failed]
            if not entries:
                return
        raise GatewayUnavailable(f"{GATEWAY}: {len(entries)} messages were not taken: {', '.join(sorted(why))}")
