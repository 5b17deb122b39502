"""`python -m tests.exposure_month.messages [SEEDS]`: what a reader is sent over 100 lossy scans with 20 changes.

The changes are ports that open, close or change their service. Each look is judged, each move wakes
the sender up: several times, in any order, some of them much later. The sender posts to a real HTTP
server on this machine, which refuses some messages, and takes others without an answer. The sender's
process is killed between its steps.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from cascan.channels.webhook import WebhookChannel
from cascan.ids import derive_exposure_id
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.decide_exposure import Audience
from cascan.messages.fields import build_exposure_key
from cascan.messages.send_exposure_message import send_exposure_message
from cascan.messages.send_next import Listener, Sender
from cascan.model.exposure import MoveKind
from cascan.model.message import AttemptState, Delivery, DeliveryState, MessageThread, OutgoingMessage
from tests.exposure_month.drift import ADDRESSES, EXPECTED, START, UNEXPECTED_PORT, Drift, DriftKind
from tests.exposure_month.month import CONFIRMED_AFTER as CONFIRMED_AFTER_NIGHTLY
from tests.exposure_month.month import WATCHED_PORTS, Conditions, Event, Month, Subject
from tests.fakes.message_threads import MemoryMessageThreads
from tests.support.message_sink import NO_ANSWER, MessageSink, serve_sink

SCANS = 100
CHANGES = 20
BETWEEN_SCANS = timedelta(hours=6)
CONFIRMED_AFTER = timedelta(seconds=40)  # from a report to that of the scan that confirms it
VISIBLE_AGAIN_AFTER = timedelta(minutes=12)  # a message of a killed process, which SQS delivers again
LONGEST_DELAY = timedelta(hours=20)  # of an event that comes late
SENT_WITHIN = timedelta(seconds=90)
CHANNEL = "sink"
SETTINGS = ChannelSettings(name=CHANNEL, webhook="http://127.0.0.1", audience=Audience())


class KilledError(Exception):
    """The process ends here."""


@dataclass(frozen=True)
class Faults:
    kills: float = 0.0  # of a step of the sender
    refusals: float = 0.0  # of the messages, with 503
    silence: float = 0.0  # of the messages that arrive: no answer
    drops_repeats: bool = False  # the sink drops a message whose id it knows


@dataclass
class Count:
    """What came of the scans."""

    changes: int = CHANGES
    threads: int = 0  # at the sink
    messages: int = 0  # at the sink, repeats included
    repeats: int = 0  # with an id that the sink had already
    steps_twice: int = 0  # a thread says the same twice in a row
    false_threads: int = 0  # about something that did not change
    missing_threads: int = 0  # about a change, and neither at the sink nor listed as one that may have arrived
    late: int = 0  # sent later than SENT_WITHIN after the report that confirmed it, without a fault in between
    at_once: int = 0  # sent within SENT_WITHIN of the first report that showed it
    unfinished: int = 0  # the newest message is not that it is resolved
    unknown: int = 0  # messages that may have arrived
    kills: int = 0
    refused: int = 0

    def __iadd__(self, other: Count) -> Count:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


@dataclass(order=True)
class Wakeup:
    at: datetime
    number: int
    subject: Subject = field(compare=False)
    is_due: bool = field(compare=False, default=False)


class DyingThreads(MemoryMessageThreads):
    """Some processes end before or after a write."""

    def __init__(self, random: Random, faults: Faults) -> None:
        super().__init__()
        self._random, self._faults = random, faults
        self.kills = 0

    def put_thread(self, thread: MessageThread) -> bool:
        self.die_at_times()
        stored = super().put_thread(thread)
        self.die_at_times()
        return stored

    def die_at_times(self) -> None:
        if self._random.random() < self._faults.kills:
            self.kills += 1
            raise KilledError


class TimedWebhook:
    """A webhook that says when each message was sent."""

    def __init__(self, url: str, threads: DyingThreads, log: list[tuple[str, datetime]], month: MessageMonth) -> None:
        self._webhook, self._threads, self._log, self._month = WebhookChannel(url), threads, log, month

    def send(self, message: OutgoingMessage) -> Delivery:
        self._threads.die_at_times()
        delivery = self._webhook.send(message)
        if delivery.state is not DeliveryState.BUSY:
            self._log.append((message.key, self._month.now))
        self._threads.die_at_times()
        return delivery


class MessageMonth(Month):
    """100 scans of a network in which 20 things change, and what a sink is sent."""

    longest_delay = LONGEST_DELAY

    def __init__(self, seed: int, faults: Faults, sink: MessageSink) -> None:
        super().__init__(seed, Conditions(confirms=True))
        self.random = Random(f"messages {seed} {faults}")  # noqa: S311 - a seeded simulation
        self.drifts = draw_changes(self.random)
        self.faults, self.sink = faults, sink
        sink.choose = self._choose_status
        self.threads = DyingThreads(self.random, faults)
        self.sent: list[tuple[str, datetime]] = []
        channel = TimedWebhook(sink.url, self.threads, self.sent, self)
        sender = Sender(CHANNEL, channel, self.threads, lambda: self.now, drops_repeats=faults.drops_repeats)
        self.listener = Listener(SETTINGS, sender)
        self.wakeups: list[Wakeup] = []
        self.delivered_events = 0

    def run_scans(self) -> Count:
        for number in range(SCANS):
            start = START + number * BETWEEN_SCANS
            self._deliver_until(start)
            self.now, self.scan, self.runs = start, number + 1, self.runs + 1
            for address in ADDRESSES:
                self._look(address, WATCHED_PORTS, skip_ping=False)
            self._announce()
            self._deliver_until(start + CONFIRMED_AFTER)
            self._confirm_soon(start)
            self._announce()
        self._deliver_until(self.now + 3 * LONGEST_DELAY)
        return self._count_messages()

    def _confirm_soon(self, start: datetime) -> None:
        """As _confirm, but its looks are CONFIRMED_AFTER later, and not as much as in a month of nights."""
        self.now = start + CONFIRMED_AFTER - CONFIRMED_AFTER_NIGHTLY
        self._confirm()

    def _choose_status(self) -> int:
        chance = self.random.random()
        if chance < self.faults.refusals:
            return 503
        return NO_ANSWER if chance < self.faults.refusals + self.faults.silence else 200

    # ---- events, in any order and repeatedly

    def _announce(self) -> None:
        fresh = self.events[self.delivered_events :]
        self.delivered_events = len(self.events)
        for event in fresh:
            self._schedule(event)

    def _schedule(self, event: Event) -> None:
        """One delivery at once, others later."""
        self._wake(event.subject, self.now + timedelta(seconds=self.random.uniform(0, 3)))
        for _ in range(self.random.randrange(3)):
            self._wake(event.subject, self.now + self.random.random() * self.longest_delay)

    def _wake(self, subject: Subject, at: datetime, *, is_due: bool = False) -> None:
        self.wakeups.append(Wakeup(at, self.random.randrange(1_000_000), subject, is_due))

    def _deliver_until(self, end: datetime) -> None:
        while due := sorted(wakeup for wakeup in self.wakeups if wakeup.at <= end):
            self.wakeups.remove(due[0])
            self.now = max(self.now, due[0].at)
            self._take_turn(due[0])

    def _take_turn(self, wakeup: Wakeup) -> None:
        exposure = self.exposures[wakeup.subject]
        try:
            turn = send_exposure_message(exposure, self.listener, is_due=wakeup.is_due)
        except KilledError:
            self._wake(wakeup.subject, self.now + VISIBLE_AGAIN_AFTER, is_due=wakeup.is_due)
            return
        if turn.again_at:
            self._wake(wakeup.subject, turn.again_at, is_due=wakeup.is_due or turn.waits_for_look)

    # ---- what the sink has

    def _count_messages(self) -> Count:
        by_thread: defaultdict[str, list[str]] = defaultdict(list)
        seen: set[str] = set()
        count = Count(messages=len(self.sink.posts), kills=self.threads.kills, refused=self.sink.refused)
        for post in self.sink.posts:
            if post.message_id in seen:
                count.repeats += 1
                continue
            seen.add(post.message_id)
            by_thread[post.document["key"]].append(post.document["step"])
        changed = self.list_changed()
        attempts = {key: thread.attempt for (key, _), thread in self.threads.threads.items() if thread.attempt}
        unknown = {key for key, attempt in attempts.items() if attempt.state is AttemptState.UNKNOWN}
        count.threads, count.unknown = len(by_thread), len(unknown)
        count.false_threads = len(by_thread.keys() - changed.keys())
        count.missing_threads = len(changed.keys() - by_thread.keys() - unknown)
        count.steps_twice = sum(first == second for steps in by_thread.values() for first, second in pairwise(steps))
        count.unfinished = sum(steps[-1] != "resolved" for key, steps in by_thread.items() if key not in unknown)
        self._count_times(changed, count)
        return count

    def list_changed(self) -> dict[str, Subject]:
        """The places that changed, by the key of their threads."""
        subjects = [(drift.address, drift.ports[0], drift.exposure_kind.value) for drift in self.drifts]
        ids = {subject: derive_exposure_id("default", subject[0], "tcp", *subject[1:]) for subject in subjects}
        return {build_exposure_key(ids[subject]): subject for subject in subjects}

    def _count_times(self, changed: dict[str, Subject], count: Count) -> None:
        waits = self.find_waits(MoveKind.CONFIRMED, changed)
        count.late += sum(wait > SENT_WITHIN for wait in waits)
        count.at_once += sum(wait <= SENT_WITHIN for wait in self.find_waits(MoveKind.OPENED, changed))

    def find_waits(self, kind: MoveKind, changed: dict[str, Subject]) -> list[timedelta]:
        """From the report with the first such move of each change to its first message."""
        first_sent: dict[str, datetime] = {}
        for key, at in self.sent:
            first_sent.setdefault(key, at)
        return [first_sent[key] - self._find_time(changed[key], kind) for key in changed if key in first_sent]

    def _find_time(self, subject: Subject, kind: MoveKind) -> datetime:
        moves = [event.at for event in self.events if event.subject == subject and event.kind is kind]
        return min(moves)


def draw_changes(random: Random) -> list[Drift]:
    """Each at a port of its own. It begins after the first scans, and ends before the last."""
    kinds = [DriftKind.PORT_OPENS] * 7 + [DriftKind.PORT_CLOSES] * 7 + [DriftKind.SERVICE_CHANGES] * 6
    openings = [(address, UNEXPECTED_PORT) for address in random.sample(ADDRESSES, 7)]
    others = random.sample([(address, port) for address in ADDRESSES for port in EXPECTED], CHANGES - 7)
    changes = []
    for kind, (address, port) in zip(kinds, [*openings, *others], strict=True):
        begins_at = START + random.uniform(5, 60) * BETWEEN_SCANS
        lasts = random.uniform(6, 25) * BETWEEN_SCANS
        changes.append(Drift(kind, address, (port,), begins_at, begins_at + lasts))
    return changes


def count_messages(seed: int, faults: Faults) -> Count:
    with serve_sink() as sink:
        return MessageMonth(seed, faults, sink).run_scans()


TRIALS = {
    "no faults of the sink": Faults(),
    "refusals": Faults(refusals=0.1),
    "kills, no answers": Faults(kills=0.03, refusals=0.1, silence=0.05),
    "the same, repeats dropped": Faults(kills=0.03, refusals=0.1, silence=0.05, drops_repeats=True),
}


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    titles = list(vars(Count()))
    print("| sink | " + " | ".join(title.replace("_", " ") for title in titles) + " |")
    print("|---" * (len(titles) + 1) + "|")
    for name, faults in TRIALS.items():
        total = Count(changes=0)
        for seed in range(seeds):
            total += count_messages(seed, faults)
        print(f"| {name} | " + " | ".join(str(value) for value in vars(total).values()) + " |", flush=True)


if __name__ == "__main__":
    main()
