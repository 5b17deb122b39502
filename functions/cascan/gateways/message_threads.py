"""Threads of messages in the table, and the channels that send messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cascan.model.certificate import CertificateDay, CertificateWatch
from cascan.model.message import AttemptState, Delivery, MessageThread, OutgoingMessage, StoredChannels


class ChannelStore(Protocol):
    """The operator's file of channels."""

    def channels(self) -> StoredChannels | None:
        """The file, read consistently. None: none was stored."""

    def put_channels(self, stored: StoredChannels) -> bool:
        """Store the file over version `stored.version - 1`. False: another version is stored."""


class MessageThreads(Protocol):
    """The threads of all channels.

    One that is not about an exposure is forgotten NOTICE_DAYS after its last change.
    """

    def get_thread(self, key: str, channel: str) -> MessageThread | None:
        """The thread, read consistently. None: it has no message yet."""

    def put_thread(self, thread: MessageThread) -> bool:
        """Store the thread over revision `thread.revision - 1`; the first is 1.

        False: another revision is stored.
        """

    def list_threads(self, state: AttemptState) -> Iterator[MessageThread]:
        """The threads whose newest message is in a state, the oldest try first. A change may show a moment later."""


class CertificateWatches(Protocol):
    """The certificates that end soon."""

    def certificate_watch(self) -> CertificateWatch:
        """Read consistently; of version 0, if nothing was stored."""

    def put_certificate_watch(self, watch: CertificateWatch) -> bool:
        """Store it over version `watch.version - 1`. False: another version is stored."""

    def certificate_day(self) -> CertificateDay | None:
        """The daily check. None: no certificate was ever watched."""

    def put_certificate_day(self, day: CertificateDay) -> None:
        """Store the daily check, over an earlier one."""


class MessageChannel(Protocol):
    """One way to a reader: a webhook, a topic, a command."""

    def send(self, message: OutgoingMessage) -> Delivery:
        """Try to send the message once. Never raises what the other end causes."""
