"""`cascan messages mute|unmute|mutes`: hold the messages about some exposures and notices for a time."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascan.clock import to_wire, utc_now
from cascan.model.mute import StoredMute
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.mutes import build_mute, describe_mute, end_mute, find_mute_state, store_mute
from cascan_cli.stack.open import open_stack

COLUMNS = ("ID", "STATE", "MUTES", "SINCE", "UNTIL", "BY", "REASON")


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: an option is invalid, and nothing was changed."""
    actions = {"mute": _mute, "unmute": _unmute, "mutes": _list}
    return actions[args.action](args)


def _mute(args: Namespace) -> int:
    mute = build_mute(args, utc_now())
    with open_stack(args) as stack:
        mute = store_mute(mute, stack)
    return _print_mute(mute, f"mutes {describe_mute(mute)} until {to_wire(mute.ends_at)}", args)


def _unmute(args: Namespace) -> int:
    with open_stack(args) as stack:
        mute = end_mute(args.mute_id, stack, utc_now())
    return _print_mute(mute, "has ended; messages about what is still true follow within a minute", args)


def _print_mute(mute: StoredMute, sentence: str, args: Namespace) -> int:
    if args.json:
        print_json(_to_json(mute))
    else:
        print(f"{mute.mute_id}: {sentence}")
    return 0


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
        print_message("no messages are muted")
    return 0


def _to_row(mute: StoredMute) -> tuple[object, ...]:
    begins_at, ends_at = to_wire(mute.begins_at), to_wire(mute.ends_at)
    state, by = find_mute_state(mute, utc_now()), describe_principal(mute.by)
    return mute.mute_id, state, describe_mute(mute), begins_at, ends_at, by, mute.reason


def _to_json(mute: StoredMute) -> dict[str, Any]:
    return {
        "id": mute.mute_id,
        "networks": list(mute.networks),
        "owners": list(mute.owners),
        "series": list(mute.series),
        "begins_at": to_wire(mute.begins_at),
        "until": to_wire(mute.ends_at),
        "state": find_mute_state(mute, utc_now()),
        "source": mute.source.value,
        "channel": mute.channel,
        "reason": mute.reason,
        "by": mute.by,
    }
