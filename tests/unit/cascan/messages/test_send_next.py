"""A turn of a thread: one of several processes sends, and what may have arrived is not sent again by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_SEND_TRIES, SEND_LEASE_S
from cascan.messages.send_next import Sender, Turn, send_next
from cascan.model.message import (
    AttemptState,
    Delivery,
    DeliveryState,
    MessageAttempt,
    MessageThread,
    OutgoingMessage,
    Statement,
    Step,
)
from tests.fakes.message_threads import MemoryMessageThreads

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
KEY = "exposure/q5h2ya7w3kd6mzt4"
DELIVERED, BUSY = Delivery(DeliveryState.DELIVERED), Delivery(DeliveryState.BUSY, "answered 503")
REFUSED, UNKNOWN = Delivery(DeliveryState.REFUSED, "answered 404"), Delivery(DeliveryState.UNKNOWN, "no answer")
CONFIRMED, RESOLVED = Statement(step=Step.CONFIRMED), Statement(step=Step.RESOLVED)


class ScriptedChannel:
    """Answers with the deliveries, one after the other, the last again and again."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.deliveries = list(deliveries)
        self.sent: list[str] = []

    def send(self, message: OutgoingMessage) -> Delivery:
        self.sent.append(message.message_id)
        return self.deliveries.pop(0) if len(self.deliveries) > 1 else self.deliveries[0]


class World:
    """A thread with its channel and a clock; `target` is what is true of its subject."""

    def __init__(self, *deliveries: Delivery, drops_repeats: bool = False) -> None:
        self.now = NOON
        self.target: Statement | None = CONFIRMED
        self.channel = ScriptedChannel(*deliveries)
        self.threads = MemoryMessageThreads()
        self.sender = Sender("team", self.channel, self.threads, lambda: self.now, drops_repeats=drops_repeats)

    def turn(self, *, retries: bool = False) -> Turn:
        return send_next(KEY, self.sender, self.decide, render, retries=retries)

    def decide(self, latest: Statement | None) -> Statement | None:
        return None if self.target == latest else self.target

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def thread(self) -> MessageThread:
        thread = self.threads.get_thread(KEY, "team")
        assert thread
        return thread

    @property
    def state(self) -> AttemptState | None:
        return self.thread.attempt.state if self.thread.attempt else None


def render(attempt: MessageAttempt) -> OutgoingMessage:
    return OutgoingMessage(message_id=attempt.message_id, key=KEY, title=attempt.statement.step, body="{}")


def test_a_message_is_sent_once_and_its_thread_says_so() -> None:
    world = World(DELIVERED)
    assert world.turn() == Turn(is_sent=True)
    assert world.turn() == Turn()
    assert len(world.channel.sent) == 1
    assert (world.thread.last, world.thread.count, world.thread.attempt) == (CONFIRMED, 1, None)


def test_a_busy_channel_gets_the_message_again_later_and_under_the_same_id() -> None:
    world = World(BUSY, BUSY, DELIVERED)
    turn = world.turn()
    assert turn.again_at == NOON + timedelta(seconds=15)
    assert world.turn().again_at == turn.again_at  # too early: nothing is sent
    assert len(world.channel.sent) == 1
    world.wait(15)
    assert world.turn().again_at == world.now + timedelta(seconds=30)
    world.wait(30)
    assert world.turn().is_sent
    assert len(set(world.channel.sent)) == 1


def test_a_channel_that_stays_busy_has_the_message_parked_after_the_last_try() -> None:
    world = World(BUSY)
    turns = []
    for _ in range(MAX_SEND_TRIES):
        turns.append(world.turn())
        world.wait(1_000)
    assert [turn.parked for turn in turns] == [""] * (MAX_SEND_TRIES - 1) + ["answered 503"]
    assert world.state is AttemptState.PARKED
    assert world.turn() == Turn()
    assert len(world.channel.sent) == MAX_SEND_TRIES


def test_a_refused_message_is_parked_at_once_and_sent_on_demand() -> None:
    world = World(REFUSED, DELIVERED)
    assert world.turn().parked == "answered 404"
    assert not world.turn().is_sent
    assert world.turn(retries=True).is_sent
    assert world.thread.last == CONFIRMED


def test_a_parked_message_gives_way_to_what_is_true_now() -> None:
    world = World(REFUSED, DELIVERED)
    world.turn()
    world.target = RESOLVED
    assert world.turn().is_sent
    assert (world.thread.last, world.thread.attempt) == (RESOLVED, None)


def test_a_parked_message_of_which_nothing_is_left_to_say_is_forgotten() -> None:
    world = World(REFUSED)
    world.turn()
    world.target = None
    assert world.turn() == Turn()
    assert world.thread.attempt is None


def test_a_message_that_may_have_arrived_is_sent_again_on_demand_alone() -> None:
    world = World(UNKNOWN, DELIVERED)
    assert world.turn().parked == "no answer"
    assert world.turn() == Turn()
    assert len(world.channel.sent) == 1
    assert world.turn(retries=True).is_sent
    assert len(set(world.channel.sent)) == 1


def test_the_next_message_counts_one_that_may_have_arrived_as_said() -> None:
    world = World(UNKNOWN, BUSY, DELIVERED)
    world.turn()
    world.target = RESOLVED
    world.turn()
    assert (world.thread.last, world.state) == (CONFIRMED, AttemptState.WAITING)
    world.wait(20)
    assert world.turn().is_sent
    assert (world.thread.last, world.thread.count) == (RESOLVED, 2)


def test_a_channel_that_drops_repeats_gets_a_message_again_that_may_have_arrived() -> None:
    world = World(UNKNOWN, DELIVERED, drops_repeats=True)
    assert world.turn().again_at is not None
    world.wait(20)
    assert world.turn().is_sent
    assert len(set(world.channel.sent)) == 1


class Killed(Exception):
    """The process ends here."""


class DyingChannel(ScriptedChannel):
    def send(self, message: OutgoingMessage) -> Delivery:
        super().send(message)
        raise Killed


def kill_while_sending(world: World) -> None:
    with pytest.raises(Killed):
        send_next(KEY, replace(world.sender, channel=DyingChannel(DELIVERED)), world.decide, render)


def test_while_a_process_may_still_send_another_one_waits() -> None:
    world = World(DELIVERED)
    kill_while_sending(world)
    world.wait(SEND_LEASE_S - 1)
    assert world.turn() == Turn(again_at=NOON + timedelta(seconds=SEND_LEASE_S))
    assert world.channel.sent == []


def test_what_a_killed_process_may_have_sent_is_marked_and_reported_once() -> None:
    world = World(DELIVERED)
    kill_while_sending(world)
    world.wait(SEND_LEASE_S)
    assert "ended before" in world.turn().parked
    assert world.turn() == Turn()
    assert (world.state, world.channel.sent) == (AttemptState.UNKNOWN, [])


def test_what_a_killed_process_may_have_sent_is_sent_again_where_repeats_are_dropped() -> None:
    world = World(DELIVERED, drops_repeats=True)
    kill_while_sending(world)
    message_id = world.thread.attempt.message_id if world.thread.attempt else ""
    world.wait(SEND_LEASE_S)
    assert world.turn().is_sent
    assert world.channel.sent == [message_id]


class RacingThreads(MemoryMessageThreads):
    """Another process takes the same turn right before each write of this one."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.is_racing = True

    def put_thread(self, thread: MessageThread) -> bool:
        if self.is_racing:
            self.is_racing = False
            self.world.turn()
        return super().put_thread(thread)


def test_of_two_processes_that_take_the_same_turn_one_sends() -> None:
    world = World(DELIVERED)
    world.threads = RacingThreads(world)
    world.sender = replace(world.sender, threads=world.threads)
    assert world.turn() == Turn()
    assert len(world.channel.sent) == 1


def test_a_thread_that_others_keep_changing_fails_the_turn() -> None:
    class Stubborn(MemoryMessageThreads):
        def put_thread(self, thread: MessageThread) -> bool:
            return False

    world = World(DELIVERED)
    world.sender = replace(world.sender, threads=Stubborn())
    with pytest.raises(GatewayUnavailable, match="kept changing"):
        world.turn()
    assert world.channel.sent == []


def test_an_answer_that_comes_after_the_lease_is_stored_over_the_mark() -> None:
    world = World(DELIVERED)

    class SlowChannel(ScriptedChannel):
        def send(self, message: OutgoingMessage) -> Delivery:
            world.wait(SEND_LEASE_S + 1)
            world.turn()  # marks the attempt
            assert world.state is AttemptState.UNKNOWN
            return super().send(message)

    turn = send_next(KEY, replace(world.sender, channel=SlowChannel(DELIVERED)), world.decide, render)
    assert turn.is_sent
    assert (world.thread.last, world.thread.attempt) == (CONFIRMED, None)
