"""`cascan redrive list|show|send|drop`: messages that were given up, in the dead-letter queues.

Messages are hidden from others while they are read, for SEND_HOLD_S at most, so that one call sees each
message once. They are shown again as soon as it ends.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from cascan.clock import utc_now
from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_DEAD_LETTERS
from cascan_cli.errors import BadInput
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.dead_letters import (
    BY_NAME,
    DLQ_BY_LANE,
    PARKED_REQUESTS,
    PARKED_SHARDS,
    RETURNED_SHARD,
    RETURNED_SHARD_QUEUE,
    DeadLetterQueue,
    Description,
    ShardErrors,
    add_idempotency_key,
    describe_letter,
    letter_to_json,
    list_queues,
    list_readable_queues,
    list_vantage_queues,
)
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from datetime import timedelta

    from cascan.model.dead_letter import DeadLetter

EXIT_PARTIAL = 1
# A call that is killed hides its messages for as long as this. To send MAX_DEAD_LETTERS takes a minute or so.
READ_HOLD_S, SEND_HOLD_S = 30, 300
COLUMNS = ("QUEUE", "MESSAGE", "KIND", "ABOUT", "AGE", "RECEIVED", "REASON")
MIN_ID_CHARS = 6  # of the beginning of an id


@dataclass(frozen=True, slots=True)
class HeldLetter:
    """A message that this command holds."""

    queue: DeadLetterQueue
    letter: DeadLetter
    description: Description

    @property
    def key(self) -> tuple[str, str]:
        return self.queue.name, self.letter.message_id

    @property
    def summary(self) -> dict[str, Any]:
        return letter_to_json(self.queue.name, self.letter, self.description, self.description.reason)


def run(args: Namespace) -> int:
    """Exit code 1: some messages were not sent back.

    Raises: BadInput: no such queue or message, or the user did not confirm; nothing was changed.
    """
    with open_stack(args) as stack:
        match args.action:
            case "list":
                return _list(stack, as_json=args.json)
            case "show":
                return _show(stack, args)
            case "send":
                return _send_back(stack, args)
            case _:
                return _drop(stack, args)


def _list(stack: StackGateways, *, as_json: bool) -> int:
    counts = {queue: stack.queue(queue.name).count() for queue in list_queues(stack.outputs)}
    counts |= _count_at_vantages(stack)
    with _hold_letters(stack, list_readable_queues(stack.outputs), READ_HOLD_S) as letters:
        pass  # released before they are printed: a pager may keep the output waiting
    if as_json:
        print_json([_queue_to_json(queue, count, letters) for queue, count in counts.items()])
        return 0
    print_table(COLUMNS, map(_to_row, letters), drop=("RECEIVED", "AGE", "KIND"), whole=("MESSAGE",))
    for queue, count in counts.items():
        if queue.reader and count:
            messages = pluralize(count, "message")
            print_message(f"{queue.name} has {messages}, which {queue.reader} handles or parks within an hour")
        elif count > MAX_DEAD_LETTERS:
            print_message(f"{queue.name} has about {count} messages; {MAX_DEAD_LETTERS} are shown")
    if not letters:
        print_message("no message waits for you in a dead-letter queue")
    return 0


def _count_at_vantages(stack: StackGateways) -> dict[DeadLetterQueue, int]:
    """The messages in the dead-letter queues of vantages. One that cannot be counted is named and left out."""
    counts: dict[DeadLetterQueue, int] = {}
    for queue, url in list_vantage_queues(stack.table.vantages()):
        try:
            counts[queue] = stack.queue_at(url).count()
        except GatewayUnavailable as exc:
            print_message(f"{queue.name} was not counted: {exc}")
    return counts


def _queue_to_json(queue: DeadLetterQueue, count: int, letters: Sequence[HeldLetter]) -> dict[str, Any]:
    messages = [held.summary for held in letters if held.queue is queue]
    return {
        "queue": queue.name,
        "count": max(count, len(messages)),  # SQS only knows about how many there are
        "reader": queue.reader,
        "sentBackTo": list(queue.sent_back_to),
        "messages": messages,
    }


def _to_row(held: HeldLetter) -> tuple[object, ...]:
    about = held.description
    shard = f"/{about.shard}" if about.shard is not None else ""
    return (
        held.queue.name,
        held.letter.message_id,
        about.kind,
        f"{about.scan_id}{shard}" if about.scan_id else about.schedule,
        _format_age(utc_now() - held.letter.sent_at),
        held.letter.received,
        about.reason,
    )


def _format_age(age: timedelta) -> str:
    """`3 d`, `5 h`, `12 min`: the largest unit that fits."""
    minutes = max(0, int(age.total_seconds() // 60))
    for unit, length in (("d", 1_440), ("h", 60)):
        if minutes >= length:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"


def _show(stack: StackGateways, args: Namespace) -> int:
    with _hold_letters(stack, list_readable_queues(stack.outputs), READ_HOLD_S) as letters:
        (held,) = _select_by_id([args.message], letters)
    if args.json:
        print_json(held.summary | {"body": held.letter.body, "attributes": held.letter.attributes})
        return 0
    for name, value in (held.summary | held.letter.attributes).items():
        if value not in ("", None):
            print(f"{printable(name)}: {printable(value)}")
    print()
    for line in held.letter.body.splitlines():
        print(printable(line))
    return 0


def _send_back(stack: StackGateways, args: Namespace) -> int:
    """Exit code 1: a message was not sent back, or there may be more of them."""
    if bool(args.messages) == args.all:
        raise BadInput("name queues or messages to send back, or use --all for every message")
    queues, ids = _split_names(args.messages, stack)
    readable = list_readable_queues(stack.outputs)
    if args.all:
        queues = [queue for queue in readable if queue.sent_back_to]
    sent: list[dict[str, Any]] = []
    with _hold_letters(stack, readable if ids else queues, SEND_HOLD_S) as letters:
        selected = _select(letters, queues, ids)
        for held in selected:
            if target := _send_one(held, stack):
                letters.remove(held)
                sent.append(held.summary | {"sentTo": target})
    if args.json:
        print_json(sent)
    else:
        _report_sent(sent)
    full_queues = _find_full_queues(selected)
    for name in full_queues:
        print_message(f"{name} may have more: {MAX_DEAD_LETTERS} messages are read in one call, so repeat it")
    return EXIT_PARTIAL if full_queues or len(sent) < len(selected) else 0


def _report_sent(sent: Sequence[Mapping[str, Any]]) -> None:
    for entry in sent:
        print_message(f"{entry['id']}: sent from {entry['queue']} to {entry['sentTo']}")
    if not sent:
        print_message("nothing was sent back")


def _send_one(held: HeldLetter, stack: StackGateways) -> str | None:
    """Send the message, then delete it here. Returns the queue; None: it stays, and why is printed.

    If the command is killed in between, the message is in both queues and is handled twice.
    """
    target = _find_target(held, stack)
    if target is None:
        return None
    try:
        letter = held.letter
        if held.queue.name == PARKED_REQUESTS:
            letter = msgspec.structs.replace(letter, body=add_idempotency_key(letter.body, letter.message_id))
        stack.queue(target).send(letter)
        stack.queue(held.queue.name).delete(held.letter)
    except GatewayUnavailable as exc:
        print_message(f"{held.letter.message_id} was not sent back: {exc}")
        return None
    return target


def _find_full_queues(letters: Sequence[HeldLetter]) -> list[str]:
    """Queues of which as many messages were read as one call reads."""
    counts = Counter(held.queue.name for held in letters)
    return [name for name, count in counts.items() if count >= MAX_DEAD_LETTERS]


def _find_target(held: HeldLetter, stack: StackGateways) -> str | None:
    """The queue that the message goes back to; None: it can only be dropped, which is printed."""
    if not held.queue.sent_back_to:
        print_message(f"{held.letter.message_id} was not sent back: nothing reads {held.queue.name}; drop it")
        return None
    if held.queue.name != PARKED_SHARDS:
        return held.queue.sent_back_to[0]
    if held.description.kind == RETURNED_SHARD:
        return RETURNED_SHARD_QUEUE
    shard = ShardErrors(stack.table).find(held.description)
    if shard is None:
        print_message(f"{held.letter.message_id} was not sent back: its shard is not in the table; drop it")
        return None
    return DLQ_BY_LANE[shard.lane]


def _drop(stack: StackGateways, args: Namespace) -> int:
    with _hold_letters(stack, list_readable_queues(stack.outputs), SEND_HOLD_S) as letters:
        selected = _select_by_id(args.messages, letters)
        if not args.yes:
            _confirm(selected)
        for held in selected:
            stack.queue(held.queue.name).delete(held.letter)
            letters.remove(held)
    if args.json:
        print_json([held.summary for held in selected])
    else:
        print_message(f"dropped {pluralize(len(selected), 'message')}")
    return 0


def _confirm(selected: Sequence[HeldLetter]) -> None:
    """Raises: BadInput: the user did not confirm."""
    if not sys.stdin.isatty():
        raise BadInput("cascan redrive drop deletes messages for good: confirm with --yes")
    kinds = ", ".join(f"{held.description.kind} in {held.queue.name}" for held in selected)
    answer = input(f"Delete {pluralize(len(selected), 'message')} for good ({kinds})? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was dropped")


@contextmanager
def _hold_letters(stack: StackGateways, queues: Sequence[DeadLetterQueue], hold_s: int) -> Iterator[list[HeldLetter]]:
    """The messages of the queues, at most MAX_DEAD_LETTERS of each, held until the block ends.

    The block removes from the list what it deleted. The others are released, also after an error.
    """
    letters: list[HeldLetter] = []
    errors = ShardErrors(stack.table)
    try:
        for queue in queues:
            for letter in stack.queue(queue.name).hold_messages(MAX_DEAD_LETTERS, hold_s):
                # not extend: what was held before an error is released
                letters.append(HeldLetter(queue, letter, describe_letter(letter)))  # noqa: PERF401
        latest = {held.key: held for held in letters}  # SQS may deliver one twice
        letters[:] = [_with_shard_error(held, errors) for held in latest.values()]
        yield letters
    finally:
        for queue in queues:
            still_held = [held.letter for held in letters if held.queue is queue]
            stack.queue(queue.name).release(still_held)


def _with_shard_error(held: HeldLetter, errors: ShardErrors) -> HeldLetter:
    """The message with the last error of its shard as its reason, if it has none of its own."""
    if held.description.reason or held.queue.name != PARKED_SHARDS:
        return held
    shard = errors.find(held.description)
    reason = printable(shard.error_description) if shard else "the shard is not in the table"
    return replace(held, description=replace(held.description, reason=reason))


def _split_names(names: Sequence[str], stack: StackGateways) -> tuple[list[DeadLetterQueue], list[str]]:
    """Queues and message ids. Raises: BadInput: a queue whose messages cannot be sent back."""
    queues = [BY_NAME[name] for name in names if name in BY_NAME]
    for queue in queues:
        if not queue.is_in(stack.outputs):
            raise BadInput(f"this stack has no queue {queue.name}: only a stack with {queue.parameter} has it")
        if queue.reader:
            raise BadInput(f"{queue.name} is emptied by {queue.reader}: what it cannot handle, it parks")
        if not queue.sent_back_to:
            raise BadInput(
                f"messages of {queue.name} cannot be sent back: the next minute repeats that work. Drop them"
            )
    return queues, [name for name in names if name not in BY_NAME]


def _select(letters: Sequence[HeldLetter], queues: Sequence[DeadLetterQueue], ids: Sequence[str]) -> list[HeldLetter]:
    """The messages of the queues and those with the ids, each once."""
    with_id = {held.key for held in _select_by_id(ids, letters)}
    return [held for held in letters if held.key in with_id or held.queue in queues]


def _select_by_id(ids: Sequence[str], letters: Sequence[HeldLetter]) -> list[HeldLetter]:
    """The messages with these ids, or the beginnings of ids. Raises: BadInput: there is not exactly one."""
    selected: dict[tuple[str, str], HeldLetter] = {}
    for name in ids:
        matches = {
            held.key: held
            for held in letters
            if held.letter.message_id == name or (len(name) >= MIN_ID_CHARS and held.letter.message_id.startswith(name))
        }
        if len(matches) != 1:
            problem = "several messages begin with" if matches else "no dead-letter queue has a message"
            raise BadInput(f"{problem} {name!r}: cascan redrive list shows the ids")
        selected |= matches
    return list(selected.values())
