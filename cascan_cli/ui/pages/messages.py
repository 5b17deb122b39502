"""/messages: what has not arrived yet, the channels, and the mutes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.text import pluralize
from cascan_cli.stack.messages import LISTED, RETRIED, list_threads, read_stored_channels, send_again
from cascan_cli.stack.mutes import build_mute, describe_mute, end_mute, find_mute_state, store_mute
from cascan_cli.ui.audit import act
from cascan_cli.ui.bulk import act_on_each, go_back, read_picks
from cascan_cli.ui.console import Console, format_time, get_console, get_form
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Action, Cell, Filter, Listing, Row, make_section, read_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.message import MessageThread
    from cascan.model.mute import StoredMute

COLUMNS = ("Channel", "State", "Last try", "Tries", "Message", "Reason", "About")
CHANNEL_COLUMNS = ("Channel", "Goes to", "Format", "From severity", "Owners")
STATE_MARKS = {"parked": "high", "unknown": "medium"}
ACTIONS = (Action("retry", "Send the picked ones again"),)


def show_messages(request: Request) -> Response:
    console, query = get_console(request), read_query(request, "state", "channel")
    channels = read_stored_channels(console.stack.messages).channels
    states = [state for state in LISTED if query["state"] in ("", state.value)]
    threads = list_threads(console.stack.messages, tuple(states), query["channel"])
    listing = Listing(
        title="Messages",
        columns=COLUMNS,
        rows=map(_row, threads),
        filters=(
            Filter("state", "State", query["state"], tuple(state.value for state in LISTED)),
            Filter("channel", "Channel", query["channel"], tuple(channel.name for channel in channels)),
        ),
        empty="Every message has arrived." if channels else "There are no channels; `cascan messages set` stores them.",
        notes=["Messages that have arrived are not listed. What is parked or unknown is not sent again by itself."],
        actions=ACTIONS if console.is_operator else (),
    )
    rows = (
        (each.name, each.end, each.format.value, each.audience.severity.value, ", ".join(each.audience.owners))
        for each in channels
    )
    return show_listing(
        request,
        listing,
        "messages.html",
        channels=make_section("Channels", CHANNEL_COLUMNS, rows),
        mutes=list(_list_mutes(console)),
    )


def _row(thread: MessageThread) -> Row:
    attempt = thread.attempt
    if attempt is None:
        return Row((thread.channel, "", "", "", "", "", thread.key))
    state = Cell(attempt.state.value, mark=STATE_MARKS.get(attempt.state.value, "running"))
    about = Cell(thread.key, f"/{thread.key.replace('exposure/', 'exposures/', 1)}" if _is_exposure(thread) else "")
    cells = (thread.channel, state, format_time(attempt.at), attempt.tries, attempt.title, attempt.reason, about)
    return Row(cells, pick=thread.key if attempt.state in RETRIED else "")


def _is_exposure(thread: MessageThread) -> bool:
    return thread.key.startswith("exposure/")


def _list_mutes(console: Console) -> Iterator[dict[str, str]]:
    """Those that have not ended, the first to end first."""
    mutes = [mute for mute in console.stack.mutes.list_mutes() if mute.closed_at is None]
    for mute in sorted(mutes, key=lambda mute: (mute.ends_at, mute.mute_id)):
        yield {
            "id": mute.mute_id,
            "state": find_mute_state(mute, console.clock()),
            "mutes": describe_mute(mute),
            "until": format_time(mute.ends_at),
            "by": describe_principal(mute.by) or mute.source.value,
            "reason": mute.reason,
        }


def change_messages(request: Request) -> Response:
    """The buttons of the page. Raises: BadInput: there is no such action, or its fields are invalid."""
    console, form = get_console(request), get_form(request)
    action = form.get("action", "")
    actions = {"retry": _retry, "mute": _mute, "unmute": _unmute}
    if action not in actions:
        raise BadInput(f"action {action!r:.40}: must be one of {', '.join(actions)}")
    return go_back(request, actions[action](console, form))


def _retry(console: Console, form: Mapping[str, str]) -> str:
    picks = read_picks(form)
    threads_by_key: dict[str, list[MessageThread]] = {}
    for thread in list_threads(console.stack.messages, RETRIED):  # once, not for each pick
        threads_by_key.setdefault(thread.key, []).append(thread)

    def retry(key: str) -> str:
        threads = threads_by_key.get(key, [])
        if not threads:
            raise BadInput("no such message is parked")
        send_again(console.stack, threads)
        return f"{pluralize(len(threads), 'message')} will be sent again."

    return act_on_each(console, "send message again", picks, retry)


def _mute(console: Console, form: Mapping[str, str]) -> str:
    """Raises: BadInput: nothing or too much is selected, or the time is invalid."""
    selection = {name: form.get(name, "").split() for name in ("network", "owner")}
    selection["series"] = [form["series"].strip()] if form.get("series", "").strip() else []
    chosen = [name for name, values in selection.items() if values]
    is_for_all = bool(form.get("all"))
    if len(chosen) + is_for_all != 1:
        raise BadInput("a mute is for networks, for owners, for one series or for everything: fill in one of them")
    options = {"duration": form.get("duration", "").strip(), "until": None, "reason": form.get("reason", "").strip()}
    if not options["duration"]:
        raise BadInput("say how long the mute lasts, such as 2h or 3d")
    mute = build_mute(Namespace(**selection, **options), console.clock())
    subject = " ".join(filter(None, (describe_mute(mute), f"until {format_time(mute.ends_at)}", mute.reason)))

    def store() -> str:
        stored = store_mute(mute, console.stack)
        return f"Messages about {describe_mute(stored)} are muted until {format_time(stored.ends_at)}."

    return act(console, "mute messages", subject, store)


def _unmute(console: Console, form: Mapping[str, str]) -> str:
    mute_id = form.get("mute", "")[:40]

    def end() -> str:
        ended: StoredMute = end_mute(mute_id, console.stack, console.clock())
        return f"Mute {ended.mute_id} has ended; messages about what is still true follow within a minute."

    return act(console, "end mute", mute_id, end)
