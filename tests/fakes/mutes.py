"""Mutes in memory."""

from __future__ import annotations

from cascan.model.mute import HeldMessage, StoredMute


class MemoryMutes:
    def __init__(self) -> None:
        self.mutes: dict[str, StoredMute] = {}
        self.held: dict[str, dict[str, HeldMessage]] = {}

    def list_mutes(self) -> list[StoredMute]:
        return [mute for _, mute in sorted(self.mutes.items())]

    def put_mute(self, mute: StoredMute) -> bool:
        current = self.mutes.get(mute.mute_id)
        if mute.revision != (current.revision if current else 0) + 1:
            return False
        self.mutes[mute.mute_id] = mute
        return True

    def hold_message(self, mute: StoredMute, message: HeldMessage) -> None:
        held = self.held.setdefault(mute.mute_id, {})
        if message.key not in held or held[message.key].order <= message.order:
            held[message.key] = message

    def list_held(self, mute_id: str, *, after: str, limit: int) -> list[HeldMessage]:
        held = sorted(self.held.get(mute_id, {}).items())
        return [message for key, message in held if key > after][:limit]
