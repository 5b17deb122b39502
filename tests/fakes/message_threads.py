"""MessageThreads, ChannelStore and CertificateWatches in memory."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.model.certificate import CertificateDay, CertificateWatch
from cascan.model.message import AttemptState, MessageThread, StoredChannels


class MemoryMessageThreads:
    def __init__(self) -> None:
        self.threads: dict[tuple[str, str], MessageThread] = {}
        self.stored_channels: StoredChannels | None = None
        self.watch = CertificateWatch()
        self.day: CertificateDay | None = None

    def channels(self) -> StoredChannels | None:
        return self.stored_channels

    def put_channels(self, stored: StoredChannels) -> bool:
        if stored.version != (self.stored_channels.version if self.stored_channels else 0) + 1:
            return False
        self.stored_channels = stored
        return True

    def certificate_watch(self) -> CertificateWatch:
        return self.watch

    def put_certificate_watch(self, watch: CertificateWatch) -> bool:
        if watch.version != self.watch.version + 1:
            return False
        self.watch = watch
        return True

    def certificate_day(self) -> CertificateDay | None:
        return self.day

    def put_certificate_day(self, day: CertificateDay) -> None:
        self.day = day

    def get_thread(self, key: str, channel: str) -> MessageThread | None:
        return self.threads.get((key, channel))

    def put_thread(self, thread: MessageThread) -> bool:
        current = self.threads.get((thread.key, thread.channel))
        if thread.revision != (current.revision if current else 0) + 1:
            return False
        self.threads[thread.key, thread.channel] = thread
        return True

    def list_threads(self, state: AttemptState) -> Iterator[MessageThread]:
        listed = [thread for thread in self.threads.values() if thread.attempt and thread.attempt.state is state]
        return iter(sorted(listed, key=lambda thread: thread.attempt.at if thread.attempt else thread.key))
