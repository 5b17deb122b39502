"""The mutes of the file of channels become stored mutes, like those of commands.

The id of such a mute derives from its fields in the file. So a file that is stored again leaves it
as it is; one that is changed or left out ends, and its end is like that of every mute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.errors import GatewayUnavailable
from cascan.gateways import Mutes
from cascan.ids import derive_fingerprint
from cascan.limits import MAX_ACTIVE_MUTES, MAX_MUTE_DAYS
from cascan.messages.channel_settings import Mute
from cascan.model.mute import MuteSource, StoredMute

ID_CHARS = 8


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
    stored = {mute.mute_id: mute for mute in table.list_mutes() if mute.source is MuteSource.FILE}
    wanted = {mute.mute_id: mute for mute in (_to_stored(mute, now, by) for mute in mutes)}
    for mute_id, mute in wanted.items():
        if mute_id not in stored and mute.ends_at > now:
            _put(mute, table)
    for mute_id, mute in stored.items():
        if mute_id not in wanted and mute.closed_at is None and mute.ends_at > now:
            _put(replace(mute, ends_at=now, revision=mute.revision + 1), table)


def _to_stored(mute: Mute, now: datetime, by: str) -> StoredMute:
    begins_at = to_wire(mute.begins_at) if mute.begins_at else ""
    texts = (begins_at, to_wire(mute.ends_at), mute.why, *mute.networks, "owners", *mute.owners)
    return StoredMute(
        mute_id=derive_fingerprint(*texts)[:ID_CHARS],
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
