"""`cascan messages mute|unmute|mutes`: hold the messages about some exposures and notices for a time."""

from __future__ import annotations

import secrets
from argparse import Namespace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from msgspec.structs import replace

from cascan.clock import to_wire, utc_now
from cascan.limits import MAX_ACTIVE_MUTES, MAX_MUTE_DAYS, MAX_MUTE_REASON_CHARS, MAX_MUTE_SELECTORS, MAX_NAME_CHARS
from cascan.messages.work import MessageWork
from cascan.model.mute import MuteSource, StoredMute
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.moments import parse_duration, parse_moment
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import StackGateways, open_stack

COLUMNS = ("ID", "STATE", "MUTES", "SINCE", "UNTIL", "BY", "REASON")
ID_BYTES = 4


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: an option is invalid, and nothing was changed."""
    actions = {"mute": _mute, "unmute": _unmute, "mutes": _list}
    return actions[args.action](args)


def _mute(args: Namespace) -> int:
    mute = _build_mute(args, utc_now())
    with open_stack(args) as stack:
        others = [other for other in stack.mutes.list_mutes() if other.source is not MuteSource.QUIET]
        active = [other for other in others if other.closed_at is None]
        if len(active) >= MAX_ACTIVE_MUTES:
            raise BadInput(f"there are {len(active)} mutes; at most {MAX_ACTIVE_MUTES} are possible: end one first")
        mute = replace(mute, by=stack.submitter)
        if not stack.mutes.put_mute(mute):
            raise CliError("another mute has the same id; run the command again")
    if args.json:
        print_json(_to_json(mute))
    else:
        print(f"{mute.mute_id}: mutes {_describe(mute)} until {to_wire(mute.ends_at)}")
    return 0


def _build_mute(args: Namespace, now: datetime) -> StoredMute:
    """Raises: BadInput: an option is invalid."""
    for option in ("network", "owner", "series"):
        values = getattr(args, option)
        if len(values) > MAX_MUTE_SELECTORS:
            raise BadInput(f"--{option}: has {len(values)} values, more than {MAX_MUTE_SELECTORS}")
        if any(not value or len(value) > MAX_NAME_CHARS for value in values):
            raise BadInput(f"--{option}: each value has to be 1 to {MAX_NAME_CHARS} characters")
    if len(args.reason) > MAX_MUTE_REASON_CHARS:
        raise BadInput(f"--reason: has {len(args.reason)} characters, more than {MAX_MUTE_REASON_CHARS}")
    return StoredMute(
        mute_id=secrets.token_hex(ID_BYTES),
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


def _unmute(args: Namespace) -> int:
    with open_stack(args) as stack:
        mute = _end_now(args.mute_id, stack)
        # The next minute would ask for the end, too
        stack.message_queue.send(MessageWork(scan_id="", cause_id=stack.submitter, key=mute.key).to_wire(), delay_s=10)
    if args.json:
        print_json(_to_json(mute))
    else:
        print(f"{mute.mute_id}: has ended; messages about what is still true follow within a minute")
    return 0


def _end_now(mute_id: str, stack: StackGateways) -> StoredMute:
    """Raises: BadInput: there is no such mute."""
    mutes = {mute.mute_id: mute for mute in stack.mutes.list_mutes() if mute.closed_at is None}
    mute = mutes.get(mute_id)
    if mute is None:
        raise BadInput(f"there is no mute {mute_id!r:.40}; `cascan messages mutes` lists them")
    now = utc_now()
    if mute.ends_at <= now:
        return mute
    ended = replace(mute, ends_at=now, revision=mute.revision + 1)
    if not stack.mutes.put_mute(ended):
        raise CliError(f"{mute_id} was changed at the same moment; run the command again")
    return ended


def _list(args: Namespace) -> int:
    with open_stack(args) as stack:
        mutes = [mute for mute in stack.mutes.list_mutes() if args.all or mute.closed_at is None]
    mutes.sort(key=lambda mute: (mute.ends_at, mute.mute_id))
    listing = Listing(
        title="mutes",
        unit="mute",
        items=mutes,
        columns=COLUMNS,
        to_row=_to_row,
        to_json=_to_json,
        drop=("BY", "SINCE", "STATE"),
        whole=("ID",),
    )
    print_listing(listing, args)
    if not mutes and not args.json:
        print_message("nothing is muted")
    return 0


def _to_row(mute: StoredMute) -> tuple[object, ...]:
    begins_at, ends_at = to_wire(mute.begins_at), to_wire(mute.ends_at)
    return mute.mute_id, _find_state(mute), _describe(mute), begins_at, ends_at, mute.by, mute.reason


def _find_state(mute: StoredMute) -> str:
    if mute.closed_at is not None:
        return "ended"
    if mute.holds_at(utc_now()):
        return "active"
    return "planned" if mute.begins_at > utc_now() else "ending"


def _describe(mute: StoredMute) -> str:
    if mute.channel:
        return f"channel {mute.channel}"
    return ", ".join((*mute.networks, *mute.owners, *mute.series)) or "everything"


def _to_json(mute: StoredMute) -> dict[str, Any]:
    return {
        "id": mute.mute_id,
        "networks": list(mute.networks),
        "owners": list(mute.owners),
        "series": list(mute.series),
        "begins_at": to_wire(mute.begins_at),
        "until": to_wire(mute.ends_at),
        "state": _find_state(mute),
        "source": mute.source.value,
        "channel": mute.channel,
        "reason": mute.reason,
        "by": mute.by,
    }
