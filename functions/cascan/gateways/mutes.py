"""Mutes in the table, and what they hold."""

from __future__ import annotations

from typing import Protocol

from cascan.model.mute import HeldMessage, StoredMute


class Mutes(Protocol):
    """A mute is forgotten CLOSED_MUTE_DAYS after it was closed, and what it holds NOTICE_DAYS after its end."""

    def list_mutes(self) -> list[StoredMute]:
        """At most MAX_LISTED_MUTES mutes, those that have ended included, read consistently."""

    def put_mute(self, mute: StoredMute) -> bool:
        """Store the mute over revision `mute.revision - 1`; the first is 1.

        False: another revision is stored.
        """

    def hold_message(self, mute: StoredMute, message: HeldMessage) -> None:
        """Store the message, unless a later one of its thread is held."""

    def list_held(self, mute_id: str, *, after: str, limit: int) -> list[HeldMessage]:
        """At most `limit` messages in the order of their keys, read consistently. `after`: only later keys."""
