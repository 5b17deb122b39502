"""Messages that have not arrived: list them, and send them again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cascan.errors import RequestRefused
from cascan.limits import MAX_LISTED_THREADS
from cascan.messages.channel_settings import ChannelFile
from cascan.messages.read_channels import read_channels
from cascan.messages.work import MessageWork
from cascan.model.message import EXPOSURE_PREFIX, AttemptState, MessageThread
from cascan_cli.errors import BadInput, CliError

if TYPE_CHECKING:
    from cascan.gateways import ChannelStore, MessageThreads
    from cascan_cli.stack.open import StackGateways

LISTED = (AttemptState.PARKED, AttemptState.UNKNOWN, AttemptState.WAITING, AttemptState.SENDING)
RETRIED = (AttemptState.PARKED, AttemptState.UNKNOWN)


def read_stored_channels(table: ChannelStore) -> ChannelFile:
    """The stored file, or an empty one.

    Raises: CliError: another version of cascan stored a file that this one refuses.
    """
    stored = table.channels()
    try:
        return read_channels(stored.text) if stored else ChannelFile()
    except RequestRefused as exc:
        advice = "store it again with `cascan messages set FILE`"
        raise CliError(f"the file of channels is from another version of cascan; {advice}: {exc}") from exc


def list_threads(table: MessageThreads, states: tuple[AttemptState, ...], channel: str = "") -> Iterator[MessageThread]:
    """The threads whose newest message is in one of the states. `channel`: empty: of all channels."""
    for state in states:
        for thread in islice(table.list_threads(state), MAX_LISTED_THREADS):
            if channel in ("", thread.channel):
                yield thread


def retry_messages(stack: StackGateways, keys: Collection[str] = (), channel: str = "") -> list[MessageThread]:
    """Ask to send the parked messages again: those with the keys, or all. Returns their threads.

    Raises: BadInput: a key is not that of a parked message.
    """
    threads = list(list_threads(stack.messages, RETRIED, channel))
    missing = set(keys) - {thread.key for thread in threads}
    if missing:
        raise BadInput(f"{', '.join(sorted(missing))}: no such message is parked; `cascan messages list` shows them")
    chosen = [thread for thread in threads if not keys or thread.key in keys]
    send_again(stack, chosen)
    return chosen


def send_again(stack: StackGateways, threads: Iterable[MessageThread]) -> None:
    for thread in threads:
        stack.message_queue.send(_build_retry(thread, stack.submitter).to_wire())


def _build_retry(thread: MessageThread, cause: str) -> MessageWork:
    attempt = thread.attempt if not thread.key.startswith(EXPOSURE_PREFIX) else None
    return MessageWork(
        scan_id="",
        cause_id=cause,
        key=thread.key,
        channel=thread.channel,
        retries=True,
        is_due=True,
        notice=attempt.notice if attempt else {},
        detail=attempt.statement.detail if attempt else "",
    )
