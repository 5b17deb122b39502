"""DynamoMessageTable: channels and their threads of messages, in the scan table.

what       pk                  sk                  attributes
─────────  ──────────────────  ──────────────────  ─────────────────────────────────────────────
channels   stack               channels            body, version
watch      stack               certificates        body, version
day        stack               certificate-day     body
thread     messages/<key>      message/<channel>   body, version; expires_at, unless it is about
                                                   an exposure; while a message has not arrived
                                                   listing="messages/<state>",
                                                   listed_at=<at>#<key>

`version` is the thread's revision. A thread about an exposure is stored as long as the exposure,
since a thread that is forgotten would begin again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import (
    Item,
    build_key,
    encode_body,
    format_instant,
    read_item,
    readable_items,
    to_values,
    unpack_text,
)
from cascan.clock import Clock, utc_now
from cascan.limits import NOTICE_DAYS
from cascan.model.certificate import CertificateDay, CertificateWatch
from cascan.model.message import EXPOSURE_PREFIX, AttemptState, MessageThread, StoredChannels

CHANNELS_KEY = build_key("stack", "channels")
WATCH_KEY = build_key("stack", "certificates")
DAY_KEY = build_key("stack", "certificate-day")
PAGE = 100  # threads of a list


class DynamoMessageTable:
    """MessageThreads, ChannelStore and CertificateWatches on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def channels(self) -> StoredChannels | None:
        item = self._table.get(CHANNELS_KEY)
        return read_item(item, _read_channels) if item else None

    def put_channels(self, stored: StoredChannels) -> bool:
        item = CHANNELS_KEY | {"body": encode_body(stored), "version": {"N": str(stored.version)}}
        return self._table.put_version(item, stored.version)

    def certificate_watch(self) -> CertificateWatch:
        item = self._table.get(WATCH_KEY)
        return read_item(item, _read_watch) if item else CertificateWatch()

    def put_certificate_watch(self, watch: CertificateWatch) -> bool:
        item = WATCH_KEY | {"body": encode_body(watch), "version": {"N": str(watch.version)}}
        return self._table.put_version(item, watch.version)

    def certificate_day(self) -> CertificateDay | None:
        item = self._table.get(DAY_KEY)
        return read_item(item, _read_day) if item else None

    def put_certificate_day(self, day: CertificateDay) -> None:
        self._table.put(DAY_KEY | {"body": encode_body(day)})

    def get_thread(self, key: str, channel: str) -> MessageThread | None:
        item = self._table.get(_thread_key(key, channel))
        return read_item(item, _read_thread) if item else None

    def put_thread(self, thread: MessageThread) -> bool:
        attributes: dict[str, Any] = {"version": thread.revision}
        if thread.attempt:
            attributes["listing"] = _list_name(thread.attempt.state)
            attributes["listed_at"] = f"{format_instant(thread.attempt.at)}#{thread.key}"
        if not thread.key.startswith(EXPOSURE_PREFIX):
            attributes["expires_at"] = int((self._clock() + timedelta(days=NOTICE_DAYS)).timestamp())
        item = _thread_key(thread.key, thread.channel) | {"body": encode_body(thread)} | to_values(attributes)
        return self._table.put_version(item, thread.revision)

    def list_threads(self, state: AttemptState) -> Iterator[MessageThread]:
        items = self._table.query(
            IndexName="listing",
            KeyConditionExpression="listing = :listing",
            ExpressionAttributeValues={":listing": {"S": _list_name(state)}},
            Limit=PAGE,
        )
        return readable_items(items, _read_thread)


def _list_name(state: AttemptState) -> str:
    return f"messages/{state.value}"


def _thread_key(key: str, channel: str) -> Item:
    return build_key(f"messages/{key}", f"message/{channel}")


def _read_thread(item: Item) -> MessageThread:
    return msgspec.json.decode(unpack_text(item["body"]), type=MessageThread)


def _read_channels(item: Item) -> StoredChannels:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredChannels)


def _read_watch(item: Item) -> CertificateWatch:
    return msgspec.json.decode(unpack_text(item["body"]), type=CertificateWatch)


def _read_day(item: Item) -> CertificateDay:
    return msgspec.json.decode(unpack_text(item["body"]), type=CertificateDay)
