"""ScanTable's contract: how far a report is recorded. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

from msgspec.structs import replace

from cascan.aws.tables.recording_items import INTERVALS_PER_PAGE
from cascan.gateways import ScanTable
from cascan.ids import ReportKey
from cascan.model.recording import Place, PublishedChanges, Recording, ReportEnd
from cascan.model.report import ScanInfo
from tests.integration.gateways.examples import SCAN_ID, a_scan

SOURCE = ReportKey(SCAN_ID, 3, 2)
FIRST = Recording(
    place=Place(offset=1_000, scaninfo=(ScanInfo(type="syn", protocol="tcp", services="1-9"),), broken=True),
    turns=1,
    hosts_read=7,
    findings=20,
    severities={"HIGH": 20},
    quarantined_addresses=("10.0.0.9",),
    stretches=((0, 1_000),),
)
ME, ANOTHER = "me", "another"
SECOND = replace(FIRST, place=Place(offset=2_500), turns=2, stretches=((0, 1_000), (1_000, 2_500)))


def test_a_report_without_a_checkpoint_has_no_recording(table: ScanTable) -> None:
    assert table.recording(SOURCE) is None


def test_what_was_noted_is_read_again(table: ScanTable) -> None:
    assert table.store_recording(SOURCE, FIRST, [(5, 9), (2**127, 2**127 + 3)], ME)
    assert table.recording(SOURCE) == FIRST
    assert list(table.recorded_addresses(SOURCE, FIRST)) == [(5, 9), (2**127, 2**127 + 3)]
    assert table.recording(ReportKey(SCAN_ID, 3, 1)) is None


def test_addresses_of_all_stretches_are_read_however_many(table: ScanTable) -> None:
    many = [(number * 2, number * 2) for number in range(2 * INTERVALS_PER_PAGE + 1)]
    table.store_recording(SOURCE, FIRST, many, ME)
    assert table.store_recording(SOURCE, SECOND, [(7, 7)], ME)
    assert table.recording(SOURCE) == SECOND
    assert list(table.recorded_addresses(SOURCE, SECOND)) == [*many, (7, 7)]


def test_who_is_not_further_notes_nothing(table: ScanTable) -> None:
    table.store_recording(SOURCE, FIRST, [(1, 1)], ME)
    table.store_recording(SOURCE, SECOND, [(2, 2)], ME)
    behind = replace(FIRST, place=Place(offset=2_400), stretches=((0, 2_400),))
    level = replace(FIRST, place=Place(offset=2_500), stretches=((0, 2_500),))
    assert not table.store_recording(SOURCE, behind, [(1, 2)], ME)
    assert not table.store_recording(SOURCE, level, [(1, 2)], ANOTHER)
    assert table.recording(SOURCE) == SECOND
    assert list(table.recorded_addresses(SOURCE, SECOND)) == [(1, 1), (2, 2)]


def test_published_changes_of_a_report_that_was_read_count_as_further_progress(table: ScanTable) -> None:
    end, told = (
        ReportEnd(complete=True, exit="success"),
        PublishedChanges(after_address="10.0.0.7", counts={"PortOpened": 3}),
    )
    read = replace(FIRST, end=end, published=told)
    assert table.store_recording(SOURCE, FIRST, [(1, 1)], ME)
    assert table.store_recording(SOURCE, read, (), ME)
    assert table.recording(SOURCE) == read
    assert list(table.recorded_addresses(SOURCE, read)) == [(1, 1)]
    assert not table.store_recording(
        SOURCE, replace(read, published=PublishedChanges(baseline={"PortOpened": 3})), (), ANOTHER
    )


def test_a_note_whose_answer_was_lost_may_come_again_from_its_writer_alone(table: ScanTable) -> None:
    assert table.store_recording(SOURCE, FIRST, [(1, 1)], ME)
    assert table.store_recording(SOURCE, FIRST, [(1, 1)], ME)
    assert not table.store_recording(SOURCE, FIRST, [(1, 1)], ANOTHER)
    assert table.store_recording(SOURCE, SECOND, [(2, 2)], ANOTHER)
    assert not table.store_recording(SOURCE, FIRST, [(1, 1)], ME)


def test_notes_go_with_their_scan(table: ScanTable) -> None:
    table.create_scan(a_scan())
    table.store_recording(SOURCE, FIRST, [(1, 1)], ME)
    assert table.remove_scan(SCAN_ID, 100)
    assert table.recording(SOURCE) is None
    assert table.get_scan(SCAN_ID) is None
