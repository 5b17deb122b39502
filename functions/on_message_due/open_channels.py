"""The channels of the operator's file, with the way to each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import msgspec

from cascan.aws.message_channels import BusChannel, TopicChannel, read_parameter
from cascan.channels.apprise_services import AppriseChannel
from cascan.channels.command import CommandChannel
from cascan.channels.unusable import UnusableChannel
from cascan.channels.webhook import WebhookChannel
from cascan.clock import Clock
from cascan.errors import GatewayUnavailable
from cascan.gateways import ChannelStore, EventBus, MessageChannel, MessageThreads
from cascan.limits import CHANNELS_OPEN_S
from cascan.messages.channel_settings import ChannelFile, ChannelSettings
from cascan.messages.send_next import Listener, Sender
from cascan.model.message import StoredChannels


class ChannelTable(ChannelStore, MessageThreads, Protocol):
    """Where the channels and their threads are stored."""


@dataclass(frozen=True, slots=True)
class ChannelEnds:
    """What the stack has to send to."""

    bus: EventBus
    topic_arn: str = ""
    parameter_path: str = ""
    runs_commands: bool = False

    def open(self, settings: ChannelSettings) -> MessageChannel:
        """The way to the channel. One that cannot be used is opened, too, and refuses each message with the reason."""
        try:
            return self._open(settings)
        except (GatewayUnavailable, ValueError) as exc:
            return UnusableChannel(str(exc))

    def _open(self, settings: ChannelSettings) -> MessageChannel:
        if settings.webhook:
            return WebhookChannel(settings.webhook)
        if settings.parameter:
            if not self.parameter_path or not settings.parameter.startswith(self.parameter_path):
                return UnusableChannel(f"the stack reads no parameters outside {self.parameter_path or 'its path'}")
            return WebhookChannel(read_parameter(settings.parameter))
        if settings.bus:
            return BusChannel(settings.name, self.bus)
        if settings.topic:
            topic = "the stack has no topic; deploy it with the parameter MessagesTopicArn"
            return TopicChannel(self.topic_arn) if self.topic_arn else UnusableChannel(topic)
        if not self.runs_commands:
            programs = "services of Apprise" if settings.apprise else "commands"
            return UnusableChannel(f"{programs} run on one machine alone; use a webhook, topic or bus")
        return AppriseChannel(settings.apprise) if settings.apprise else CommandChannel(settings.command)


class ChannelOpener:
    """Opens the channels of the stored file.

    The file is read each time, so that no message is decided on with an earlier one. The channels stay open
    until the file changes, at most CHANNELS_OPEN_S: what the parameters of webhooks hold may change.
    """

    def __init__(self, table: ChannelTable, ends: ChannelEnds, clock: Clock) -> None:
        self._table, self._ends, self._clock = table, ends, clock
        self._listeners: tuple[Listener, ...] = ()
        self._file = ChannelFile()
        self._stored: StoredChannels | None = None
        self._open_until = clock()

    def open(self) -> tuple[ChannelFile, tuple[Listener, ...]]:
        """Raises: RequestRefused: another version of cascan stored a file that this one cannot read."""
        now = self._clock()
        stored = self._table.channels()
        if stored != self._stored or now >= self._open_until:
            self._file = read_stored_file(stored) if stored else ChannelFile()
            self._listeners = tuple(map(self._listen, self._file.channels))
            self._stored, self._open_until = stored, now + timedelta(seconds=CHANNELS_OPEN_S)
        return self._file, self._listeners

    def _listen(self, settings: ChannelSettings) -> Listener:
        channel = self._ends.open(settings)
        sender = Sender(settings.name, channel, self._table, self._clock, drops_repeats=settings.drops_repeats)
        return Listener(settings, sender)


def read_stored_file(stored: StoredChannels) -> ChannelFile:
    """The parsed file. Its text is read only if another version of cascan stored it.

    Raises: RequestRefused: this version cannot read the text.
    """
    try:
        return msgspec.json.decode(stored.parsed, type=ChannelFile)
    except msgspec.MsgspecError:
        from cascan.messages.read_channels import read_channels  # noqa: PLC0415 - it imports YAML, which is slow

        return read_channels(stored.text)
