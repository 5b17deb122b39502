"""The mutes of the file of channels become stored mutes, like those of commands.

A file that is stored again leaves its mutes as they are, unless one was ended early: that one begins
again. A mute that is changed or left out ends, and its end is like that of every mute.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.errors import GatewayUnavailable
from cascan.gateways import Mutes
from cascan.limits import MAX_ACTIVE_MUTES, MAX_MUTE_DAYS
from cascan.messages.channel_settings import Mute
from cascan.model.mute import MUTE_ID_BYTES, MuteSource, StoredMute


def find_mute_problems(mutes: Iterable[Mute], stored: Iterable[StoredMute], now: datetime) -> Iterator[str]:
    """What is wrong with the mutes of a file at this time, one sentence each."""
    coming = [mute for mute in mutes if mute.ends_at > now]
    for mute in coming:
        begins_at = mute.begins_at or now
        if mute.ends_at - begins_at > timedelta(days=MAX_MUTE_DAYS):
            yield f"mutes: the one until {to_wire(mute.ends_at)} lasts longer than {MAX_MUTE_DAYS} days"
    active = [mute for mute in stored if mute.closed_at is None and mute.source is MuteSource.COMMAND]
    if len(active) + len(coming) > MAX_ACTIVE_MUTES:
        counts = f"{len(coming)}, and commands have set {len(active)}"
        yield f"mutes: there are {counts}; at most {MAX_ACTIVE_MUTES} are possible at a time"


def store_file_mutes(mutes: Iterable[Mute], table: Mutes, now: datetime, *, by: str) -> None:
    """Store the mutes of the file that are not over, and end those of an earlier file.

    Raises: GatewayUnavailable: another process changed one at the same moment; repeat it.
    """
    stored = [mute for mute in table.list_mutes() if mute.source is MuteSource.FILE]
    active = [mute for mute in stored if mute.closed_at is None and mute.ends_at > now]
    wanted = [mute for mute in mutes if mute.ends_at > now]
    for mute in wanted:
        if not any(_is_same(mute, other) for other in active):
            _put(_to_stored(mute, now, by), table)
    for other in active:
        if not any(_is_same(mute, other) for mute in wanted):
            _put(replace(other, ends_at=now, revision=other.revision + 1), table)


def _is_same(mute: Mute, stored: StoredMute) -> bool:
    fields = (mute.ends_at, mute.networks, mute.owners, mute.why)
    has_begin = mute.begins_at in (None, stored.begins_at)
    return has_begin and fields == (stored.ends_at, stored.networks, stored.owners, stored.reason)


def _to_stored(mute: Mute, now: datetime, by: str) -> StoredMute:
    return StoredMute(
        mute_id=secrets.token_hex(MUTE_ID_BYTES),
        begins_at=mute.begins_at or now,
        ends_at=mute.ends_at,
        networks=mute.networks,
        owners=mute.owners,
        reason=mute.why,
        by=by,
        source=MuteSource.FILE,
        revision=1,
    )


def _put(mute: StoredMute, table: Mutes) -> None:
    if not table.put_mute(mute):
        raise GatewayUnavailable(f"the mute {mute.mute_id} was changed at the same moment")
