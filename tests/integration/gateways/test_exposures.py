"""ScanTable's contract: exposures and the file that they are judged by. On the fake and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cascan.exposure.life import add_looks, start_exposure
from cascan.gateways import ScanTable
from cascan.model.exposure import Exposure, ExposureDay, ExposureState, ExposureSubject, JudgedLook, StoredExpectations

AT = datetime(2099, 3, 1, 12, tzinfo=UTC)
FILE = StoredExpectations(version=1, applied_at=AT, text="expected: []", applied_by="ann")


def an_exposure(address: str = "10.0.0.9", port: int = 23, vantage: str = "internet", minutes: int = 0) -> Exposure:
    subject = ExposureSubject(vantage=vantage, address=address, protocol="tcp", port=port, kind="unexpected-open")
    look = JudgedLook(seen_at=AT + timedelta(minutes=minutes), report_key="reports/a", holds=True)
    return replace(add_looks(start_exposure(subject), [look], AT), revision=1)


class TestExposures:
    def test_an_exposure_is_found_by_its_id_and_by_its_address(self, table: ScanTable) -> None:
        exposure = an_exposure()
        assert table.get_exposure(exposure.exposure_id) is None
        assert table.put_exposure(exposure)
        assert table.get_exposure(exposure.exposure_id) == exposure
        assert table.exposures_at(["10.0.0.9", "10.0.0.10"], vantage="internet") == [exposure]
        assert table.exposures_at(["10.0.0.10"], vantage="internet") == []
        assert table.exposures_at(["10.0.0.9"], vantage="office") == []
        assert table.exposures_at([], vantage="internet") == []

    @pytest.mark.parametrize("network", ["10.0.0.", "2001:db8::"])
    def test_the_exposures_of_a_network_come_in_order(self, network: str, table: ScanTable) -> None:
        places = [("9", 8080), ("9", 443), ("1", 23), ("ff" if ":" in network else "255", 1)]
        exposures = [an_exposure(network + host, port) for host, port in places]
        for exposure in exposures:
            assert table.put_exposure(exposure)
        addresses = [network + host for host, _ in places]
        in_order = [exposures[index] for index in (2, 1, 0, 3)]
        assert table.exposures_at(addresses, vantage="internet") == in_order

    def test_of_two_writers_one_wins(self, table: ScanTable) -> None:
        exposure = an_exposure()
        assert table.put_exposure(exposure)
        assert not table.put_exposure(exposure)
        second = replace(exposure, revision=2, owner="payments@example.com")
        assert table.put_exposure(second)
        assert not table.put_exposure(replace(second, owner="another"))
        assert table.get_exposure(exposure.exposure_id) == second

    def test_a_list_continues_behind_a_place(self, table: ScanTable) -> None:
        exposures = [an_exposure(port=port, minutes=port) for port in (3, 1, 2)]
        for exposure in exposures:
            table.put_exposure(exposure)
        listed = list(table.list_exposures(ExposureState.OPEN))
        assert [exposure.subject.port for _, exposure in listed] == [1, 2, 3]
        behind = list(table.list_exposures(ExposureState.OPEN, after=listed[0][0]))
        assert behind == listed[1:]
        assert list(table.list_exposures(ExposureState.CONFIRMED)) == []

    def test_an_exposure_moves_to_the_list_of_its_new_state(self, table: ScanTable) -> None:
        exposure = an_exposure()
        table.put_exposure(exposure)
        table.put_exposure(replace(exposure, revision=2, state=ExposureState.RESOLVED))
        assert list(table.list_exposures(ExposureState.OPEN)) == []
        assert len(list(table.list_exposures(ExposureState.RESOLVED))) == 1

    def test_the_file_is_stored_by_version(self, table: ScanTable) -> None:
        assert table.expectations() is None
        assert table.put_expectations(FILE)
        assert not table.put_expectations(FILE)
        newer = replace(FILE, version=2, text="settings: {confirm: true}")
        assert table.put_expectations(newer)
        assert table.expectations() == newer

    def test_the_daily_check_is_remembered(self, table: ScanTable) -> None:
        assert table.exposure_day() is None
        table.put_exposure_day(ExposureDay(due_at=AT))
        later = ExposureDay(due_at=AT + timedelta(days=1), done_at=AT, warned_of=("payments/6/2099-03-10",))
        table.put_exposure_day(later)
        assert table.exposure_day() == later

    def test_confirmations_are_counted_once_and_up_to_a_limit(self, table: ScanTable) -> None:
        assert table.count_confirmations("scan", "a", 2)
        assert table.count_confirmations("scan", "b", 2)
        assert table.count_confirmations("scan", "a", 2)
        assert not table.count_confirmations("scan", "c", 2)
        assert table.count_confirmations("another", "c", 2)
