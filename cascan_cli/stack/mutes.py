"""Mutes of messages: make one, store it, end it."""

from __future__ import annotations

import secrets
from argparse import Namespace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.limits import MAX_ACTIVE_MUTES, MAX_MUTE_DAYS, MAX_MUTE_REASON_CHARS, MAX_MUTE_SELECTORS, MAX_NAME_CHARS
from cascan.messages.work import MessageWork
from cascan.model.mute import MUTE_ID_BYTES, MuteSource, StoredMute
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.moments import parse_duration, parse_moment

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways


def build_mute(args: Namespace, now: datetime) -> StoredMute:
    """The mute that the options of `cascan messages mute` describe. Raises: BadInput: an option is invalid."""
    for option in ("network", "owner", "series"):
        values = getattr(args, option)
        if len(values) > MAX_MUTE_SELECTORS:
            raise BadInput(f"--{option}: has {len(values)} values, more than {MAX_MUTE_SELECTORS}")
        if any(not value or len(value) > MAX_NAME_CHARS for value in values):
            raise BadInput(f"--{option}: each value has to be 1 to {MAX_NAME_CHARS} characters")
    if len(args.reason) > MAX_MUTE_REASON_CHARS:
        raise BadInput(f"--reason: has {len(args.reason)} characters, more than {MAX_MUTE_REASON_CHARS}")
    return StoredMute(
        mute_id=secrets.token_hex(MUTE_ID_BYTES),
        begins_at=now,
        ends_at=_read_end(args, now),
        networks=tuple(map(_read_network, args.network)),
        owners=tuple(args.owner),
        series=tuple(args.series),
        reason=args.reason,
        revision=1,
    )


def _read_end(args: Namespace, now: datetime) -> datetime:
    option = "--for" if args.duration else "--until"
    ends_at = now + parse_duration(args.duration, "--for") if args.duration else parse_moment(args.until, name=option)
    if ends_at <= now:
        raise BadInput(f"{option}: {to_wire(ends_at)} is over; give a time to come")
    if ends_at > now + timedelta(days=MAX_MUTE_DAYS):
        raise BadInput(f"{option}: a mute lasts at most {MAX_MUTE_DAYS} days")
    return ends_at


def _read_network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as exc:
        raise BadInput(f"--network {text!r:.60}: has to be an address or a network, such as 10.0.0.0/24") from exc


def store_mute(mute: StoredMute, stack: StackGateways) -> StoredMute:
    """Store the mute, and return it as it is stored.

    Raises: BadInput: there are MAX_ACTIVE_MUTES others. CliError: another mute has its id.
    """
    others = [other for other in stack.mutes.list_mutes() if other.source is not MuteSource.QUIET]
    active = [other for other in others if other.closed_at is None]
    if len(active) >= MAX_ACTIVE_MUTES:
        raise BadInput(f"there are {len(active)} mutes; at most {MAX_ACTIVE_MUTES} are possible: end one first")
    mute = replace(mute, by=stack.submitter)
    if not stack.mutes.put_mute(mute):
        raise CliError("another mute has the same id; run the command again")
    return mute


def end_mute(mute_id: str, stack: StackGateways, now: datetime) -> StoredMute:
    """End the mute now. Raises: BadInput: there is no such mute. CliError: it was changed at the same moment."""
    mute = _close_mute(mute_id, stack, now)
    # The next minute would ask for the end, too
    stack.message_queue.send(MessageWork(scan_id="", cause_id=stack.submitter, key=mute.key).to_wire(), delay_s=10)
    return mute


def _close_mute(mute_id: str, stack: StackGateways, now: datetime) -> StoredMute:
    mutes = {mute.mute_id: mute for mute in stack.mutes.list_mutes() if mute.closed_at is None}
    mute = mutes.get(mute_id)
    if mute is None:
        raise BadInput(f"there is no mute {mute_id!r:.40}; `cascan messages mutes` lists them")
    if mute.ends_at <= now:
        return mute
    ended = replace(mute, ends_at=now, revision=mute.revision + 1)
    if not stack.mutes.put_mute(ended):
        raise CliError(f"{mute_id} was changed at the same moment; try again")
    return ended


def find_mute_state(mute: StoredMute, now: datetime) -> str:
    if mute.closed_at is not None:
        return "ended"
    if mute.holds_at(now):
        return "active"
    return "planned" if mute.begins_at > now else "ending"


def describe_mute(mute: StoredMute) -> str:
    if mute.channel:
        return f"channel {mute.channel}"
    return ", ".join((*mute.networks, *mute.owners, *mute.series)) or "everything"
