"""An ended scan of a series: what is new, and whether it covered less than the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.events import ScanCompleted
from cascan.ids import derive_scan_id
from cascan.messages import compare_series
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.review_scan import ScanReview
from cascan.messages.send_next import Listener, Sender
from cascan.messages.send_notice import send_notice
from cascan.messages.work import MessageWork
from cascan.model.certificate import CertificateWatch, WatchedCertificate
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage
from cascan.model.request import ScanRequest
from cascan.model.scan import Counts, Outcome, ScanState
from tests.fakes.message_threads import MemoryMessageThreads
from tests.support.scanned_network import Hosts, World, at, xml

WHOLE: Hosts = {f"10.0.0.{number}": (22, 80) for number in range(1, 5)}
PART: Hosts = {"10.0.0.1": (22, 80)}
LESS: dict[str, Any] = {"target": "10.0.0.1", "count": 1}


class Reader:
    """A channel, and the titles and sentences that arrived on it."""

    def __init__(self, **settings: Any) -> None:
        self.heard: list[str] = []
        self.deliveries = [Delivery(DeliveryState.DELIVERED)]
        sender = Sender("team", self, MemoryMessageThreads(), lambda: at(20))
        self.listener = Listener(ChannelSettings(name="team", webhook="https://a.test", **settings), sender)

    def send(self, message: OutgoingMessage) -> Delivery:
        self.heard.append(message.title)
        return self.deliveries[-1]

    def hear(self, *works: MessageWork) -> list[str]:
        """The titles that these works say."""
        before = len(self.heard)
        for work in works:
            send_notice(work.key, work.notice, self.listener, detail=work.detail)
        return self.heard[before:]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def reader() -> Reader:
    return Reader()


def scan(world: World, hour: int, hosts: Hosts, *, asked: str = "1-100", **fields: Any) -> ScanCompleted:
    """A scan of that hour that ended: its event."""
    total = fields.get("count", 8)
    world.scan(hour, xml(hosts, asked=asked, total=total), **fields)
    return end(world, hour)


def end(world: World, hour: int) -> ScanCompleted:
    scan_id = derive_scan_id(f"scan at {hour}")
    ended = replace(world.table.scans[scan_id], state=ScanState.DONE, outcome=Outcome.COMPLETE, finished_at=at(hour))
    world.table.scans[scan_id] = ended
    return ScanCompleted(
        scan_id=scan_id, cause_id="c", event_id=f"end of {hour}", at=at(hour), name=ended.name, state=ended.state,
        outcome=Outcome.COMPLETE, requested_at=at(hour), finished_at=at(hour), addresses=8, shards=1,
        shard_outcomes={"complete": 1}, hosts_up=ended.hosts_up, findings=Counts(), changes={},
    )  # fmt: skip


def review(world: World, event: ScanCompleted, reader: Reader) -> list[MessageWork]:
    return list_works(world, event, reader)


def list_works(
    world: World,
    event: ScanCompleted,
    reader: Reader,
    *,
    left_s: TimeLeft = no_time_limit,
    watches: MemoryMessageThreads | None = None,
    owners: Mapping[str, str] = MappingProxyType({}),
) -> list[MessageWork]:
    listeners, watches = [reader.listener], watches or MemoryMessageThreads()
    review = ScanReview(
        event, listeners, world.table, watches, (7,), lambda address: owners.get(address, ""), lambda: at(20), left_s
    )
    return list(review.list_works())


def test_a_certificate_that_an_earlier_scan_saw_is_due_at_the_end_of_any_scan(world: World, reader: Reader) -> None:
    watches = MemoryMessageThreads()
    certificate = WatchedCertificate(
        vantage="default", address="10.0.0.1", port=443, not_after=at(40), name="shop", seen_at=at(0)
    )
    assert watches.put_certificate_watch(CertificateWatch(version=1, certificates=(certificate,)))
    event = scan(world, 1, PART)
    assert [work.key for work in list_works(world, event, reader, watches=watches)] == [certificate.key]
    assert list_works(world, event, reader, watches=watches) == []
    assert list_works(world, event, Reader(notices=False), watches=MemoryMessageThreads()) == []


def test_a_scan_that_looked_at_fewer_hosts_is_said_once_and_so_is_that_coverage_is_back(
    world: World, reader: Reader
) -> None:
    scan(world, 0, WHOLE)
    less, again, back = scan(world, 1, PART, **LESS), scan(world, 2, PART, **LESS), scan(world, 3, WHOLE)
    lost = review(world, less, reader)
    assert lost[0].key == "coverage/lan"
    assert "found something on 3 hosts, at 9 places" in lost[0].notice["sentence"]
    assert "10.0.0.2" in lost[0].notice["sentence"]
    assert reader.hear(*lost, *lost) == ["Coverage shrank: lan: 3 hosts (MEDIUM)"]
    assert review(world, again, reader) == []
    assert reader.hear(*review(world, back, reader), *review(world, back, reader)) == ["Coverage is back: lan"]
    assert reader.hear(*lost) == []  # the event of an earlier scan comes late, and twice


@pytest.mark.parametrize(
    ("owners", "labels", "owner"),
    [
        ({}, {}, None),
        ({"10.0.0.2": "ann", "10.0.0.3": "ann", "10.0.0.4": "ann"}, {}, "ann"),
        ({"10.0.0.2": "ann", "10.0.0.3": "bob", "10.0.0.4": "ann"}, {}, None),
        ({"10.0.0.2": "ann"}, {}, None),
        ({}, {"owner": "cid"}, "cid"),
    ],
)
def test_a_loss_of_coverage_has_the_owner_of_the_scan_or_the_one_of_all_lost_hosts(
    world: World, reader: Reader, owners: dict[str, str], labels: dict[str, str], owner: str | None
) -> None:
    scan(world, 0, WHOLE)
    event = scan(world, 1, PART, **LESS)
    earlier = world.table.scans[event.scan_id]
    request = replace(earlier.request, labels=labels) if earlier.request else ScanRequest(labels=labels)
    world.table.scans[event.scan_id] = replace(earlier, request=request)
    (work,) = list_works(world, event, reader, owners=owners)
    assert work.notice.get("owner") == owner


def test_coverage_is_not_back_before_a_scan_looks_where_the_scan_before_the_first_loss_did(
    world: World, reader: Reader
) -> None:
    scan(world, 0, WHOLE)
    reader.hear(*review(world, scan(world, 1, PART, **LESS), reader))
    two: Hosts = {"10.0.0.1": (22, 80), "10.0.0.2": (22, 80)}
    assert review(world, scan(world, 2, two, target="10.0.0.0/30", count=3), reader) == []
    assert reader.hear(*review(world, scan(world, 3, WHOLE), reader)) == ["Coverage is back: lan"]


def test_a_second_loss_is_said_in_the_same_thread(world: World, reader: Reader) -> None:
    scan(world, 0, WHOLE)
    ssh: Hosts = dict.fromkeys(WHOLE, (22,))
    reader.hear(*review(world, scan(world, 1, ssh, asked="22"), reader))
    titles = reader.hear(*review(world, scan(world, 2, {"10.0.0.1": (22,)}, asked="22", **LESS), reader))
    assert titles == ["Coverage shrank: lan: 3 hosts (MEDIUM)"]
    base_ids = {thread.last.detail.split("/")[-1] for thread in reader.listener.sender.threads.threads.values()}  # type: ignore[attr-defined]
    assert base_ids == {derive_scan_id("scan at 0")}


@pytest.mark.parametrize("hosts", [{}, {f"10.0.0.{number}": (22, 80) for number in range(1, 4)}])
def test_hosts_that_are_down_were_looked_at(world: World, reader: Reader, hosts: Hosts) -> None:
    scan(world, 0, WHOLE)
    assert review(world, scan(world, 1, hosts), reader) == []


def test_one_host_less_is_not_said(world: World, reader: Reader) -> None:
    two: Hosts = {"10.0.0.1": (22, 80), "10.0.0.2": (22, 80)}
    scan(world, 0, two)
    assert review(world, scan(world, 1, PART, **LESS), reader) == []


def test_a_small_share_of_the_hosts_is_not_said(world: World, reader: Reader) -> None:
    scan(world, 0, WHOLE)
    earlier = world.table.scans[derive_scan_id("scan at 0")]
    world.table.scans[earlier.scan_id] = replace(earlier, hosts_up=61)  # of which 3 are less than a twentieth
    assert review(world, scan(world, 1, PART, **LESS), reader) == []


def test_a_port_that_no_scan_could_decide_was_looked_at(world: World, reader: Reader) -> None:
    scan(world, 0, WHOLE)
    filtered = xml(dict.fromkeys(WHOLE, (22,))).replace(b'state="closed" count', b'state="open|filtered" count')
    world.scan(1, filtered)
    assert review(world, end(world, 1), reader) == []


def test_a_digest_counts_what_is_new_resolved_and_not_covered(world: World) -> None:
    reader = Reader(digest=True, notices=False)
    scan(world, 0, WHOLE)
    (digest,) = review(world, scan(world, 1, PART | {"10.0.0.2": (22, 99)}), reader)
    assert digest.notice["title"] == "lan: 1 new, 7 resolved"
    assert digest.notice["sentence"] == "Since your last scan: 1 new, 7 resolved, 0 not covered. It is complete."
    (digest,) = review(world, scan(world, 2, PART, **LESS), reader)
    assert digest.notice["sentence"] == "Since your last scan: 0 new, 0 resolved, 3 not covered. It is complete."


def test_a_scan_with_too_many_findings_or_too_little_time_has_a_digest_of_its_events_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(digest=True)
    scan(world, 0, WHOLE)
    event = replace(scan(world, 1, PART, **LESS), changes={"PortOpened": 2})
    (digest,) = list_works(world, event, reader, left_s=lambda: 5.0)
    assert digest.notice["sentence"] == "Since the last scan: 2 ports opened. It is complete."
    monkeypatch.setattr(compare_series, "MAX_REVIEWED_FINDINGS", 3)
    assert review(world, event, reader) == [digest]


def test_nothing_is_said_of_a_member_or_to_channels_that_want_neither(world: World, reader: Reader) -> None:
    scan(world, 0, WHOLE)
    event = scan(world, 1, PART, **LESS)
    assert review(world, event, Reader(notices=False)) == []
    stored = world.table.scans[event.scan_id]
    world.table.scans[event.scan_id] = replace(stored, member_of="parent")
    assert review(world, event, reader) == []


def test_a_scan_whose_findings_are_not_published_yet_is_compared(world: World) -> None:
    scan(world, 0, WHOLE)
    event = scan(world, 1, WHOLE)
    stored = world.table.scans[event.scan_id]
    world.table.scans[event.scan_id] = replace(stored, state=ScanState.PARSE_COMPLETED)
    (digest,) = review(world, event, Reader(digest=True))
    assert digest.notice["title"] == "lan: 0 new, 0 resolved"


def test_a_removed_scan_has_the_digest_of_its_event(world: World) -> None:
    event = scan(world, 1, PART)
    del world.table.scans[event.scan_id]
    (digest,) = review(world, event, Reader(digest=True))
    assert digest.notice["sentence"] == "Since the last scan: nothing changed. It is complete."
