"""The channels that messages go to, and the mutes, as the operator's file has them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.messages.decide_exposure import Audience
from cascan.messages.render import Format

ENDS = ("webhook", "parameter", "command", "apprise", "topic", "bus")  # where a channel sends to
CERTIFICATE_DAYS = (21, 7, 1)


class Unconfirmed(StrEnum):
    """Which exposures a channel gets messages about after one look."""

    NEVER = "never"
    RAW = "raw"  # those that no connect scan can confirm
    ALWAYS = "always"


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """A mute as the file describes it; cascan.messages.file_mutes stores it."""

    ends_at: datetime
    begins_at: datetime | None = None
    networks: tuple[str, ...] = ()  # empty: all
    owners: tuple[str, ...] = ()  # empty: all
    why: str = ""


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One channel as the file describes it. Exactly one of its ends is set."""

    name: str
    webhook: str = ""
    parameter: str = ""
    command: tuple[str, ...] = ()
    apprise: str = ""  # a configuration file on this machine
    topic: bool = False
    bus: bool = False
    format: Format = Format.JSON
    audience: Audience = Audience()
    unconfirmed: Unconfirmed = Unconfirmed.RAW
    drops_repeats: bool = False
    notices: bool = True
    digest: bool = False
    template: str = ""
    quiet: tuple[str, ...] = ()  # windows in which its messages wait

    @property
    def end(self) -> str:
        return next(end for end in ENDS if getattr(self, end))


class ChannelFile(msgspec.Struct, frozen=True, kw_only=True):
    channels: tuple[ChannelSettings, ...] = ()
    mutes: tuple[Mute, ...] = ()
    console_url: str = ""  # without a slash at its end
    certificate_days: tuple[int, ...] = CERTIFICATE_DAYS  # before the end of a certificate; empty: no notices of them
