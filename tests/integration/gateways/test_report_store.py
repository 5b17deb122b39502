"""ReportStore's contract, on the fake and on S3; and what only S3 does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from cascan.aws import clients
from cascan.aws.s3.report_store import S3ReportStore
from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.gateways import ReportStore
from cascan.ids import ReportKey, derive_scan_id
from tests.integration.gateways.conftest import BUCKET, Script
from tests.integration.gateways.examples import SCAN_ID

KEY = ReportKey(SCAN_ID, 3, 1)
REPORT = b"<?xml version='1.0'?>\r\n<nmaprun>\x00\xff cut sho"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.xml"
    path.write_bytes(REPORT)
    return path


class TestReports:
    def test_a_report_is_read_byte_for_byte_as_it_was_stored(self, reports: ReportStore, report: Path) -> None:
        reports.put_report(KEY, report, {"scan": SCAN_ID})
        with reports.open_report(KEY) as stream:
            assert stream.read(5) == REPORT[:5]
            assert stream.read() == REPORT[5:]
            assert stream.read(1) == b""

    def test_an_empty_report_is_a_report(self, reports: ReportStore, tmp_path: Path) -> None:
        (tmp_path / "empty.xml").touch()
        reports.put_report(KEY, tmp_path / "empty.xml", {})
        with reports.open_report(KEY) as stream:
            assert stream.read(100) == b""

    def test_a_report_stored_again_replaces_the_first(self, reports: ReportStore, report: Path) -> None:
        reports.put_report(KEY, report, {})
        report.write_bytes(b"again")
        reports.put_report(KEY, report, {})
        with reports.open_report(KEY) as stream:
            assert stream.read() == b"again"

    def test_a_report_that_does_not_exist_is_malformed(self, reports: ReportStore) -> None:
        with pytest.raises(MalformedMessage, match=f"there is no report {KEY}"):
            reports.open_report(KEY)

    def test_keys_are_listed_in_order_of_shard_and_attempt_and_of_their_scan_alone(
        self, reports: ReportStore, report: Path
    ) -> None:
        keys = [ReportKey(SCAN_ID, shard, attempt) for shard in (12, 2) for attempt in (10, 1, 2)]
        for key in [*keys, ReportKey(derive_scan_id("another"), 1, 1)]:
            reports.put_report(key, report, {})
        reports.put_result(SCAN_ID, "findings.json", BytesIO(b"[]"), "application/json")
        assert list(reports.report_keys(SCAN_ID)) == sorted(keys)

    def test_a_scan_without_reports_has_no_keys(self, reports: ReportStore) -> None:
        assert list(reports.report_keys(SCAN_ID)) == []


class TestRemoval:
    def test_a_removed_scan_has_no_report_and_no_result_left_and_others_keep_theirs(
        self, reports: ReportStore, report: Path
    ) -> None:
        other = ReportKey(derive_scan_id("another"), 0, 1)
        for key in (KEY, ReportKey(SCAN_ID, 4, 1), other):
            reports.put_report(key, report, {})
        reports.put_result(SCAN_ID, "findings.json", BytesIO(b"[]"), "application/json")
        assert reports.remove_scan(SCAN_ID, most=100)
        assert list(reports.report_keys(SCAN_ID)) == []
        assert list(reports.report_keys(other.scan_id)) == [other]

    def test_removing_what_is_not_there_does_no_harm(self, reports: ReportStore) -> None:
        assert reports.remove_scan(SCAN_ID, most=100)


class TestReportsOnS3:
    def test_a_report_carries_its_type_and_metadata(self, s3_store: S3ReportStore, report: Path) -> None:
        s3_store.put_report(KEY, report, {"scan": SCAN_ID, "series": "büro 100%\r\nx-evil: 1", "plain": "a b/c=d"})
        answer = clients.s3().head_object(Bucket=BUCKET, Key=f"reports/{SCAN_ID}/000003/1.xml")
        assert answer["ContentType"] == "application/xml"
        series = "b%C3%BCro 100%25%0D%0Ax-evil: 1"
        assert answer["Metadata"] == {"scan": SCAN_ID, "series": series, "plain": "a b/c=d"}

    def test_a_result_carries_its_type(self, s3_store: S3ReportStore) -> None:
        s3_store.put_result(SCAN_ID, "findings.json", BytesIO(b"[]"), "application/json")
        answer = clients.s3().get_object(Bucket=BUCKET, Key=f"results/{SCAN_ID}/findings.json")
        with answer["Body"] as body:
            assert (answer["ContentType"], body.read()) == ("application/json", b"[]")

    def test_a_result_longer_than_one_part_is_stored_in_parts_as_it_is_made(
        self, s3_store: S3ReportStore, script: Script
    ) -> None:
        made: list[int] = []

        def pieces() -> Iterator[bytes]:
            for number in range(21):
                made.append(number)
                yield bytes([number]) * 1024**2

        parts = script(clients.s3(), "upload_part", ())
        s3_store.put_result(SCAN_ID, "nmap.xml", pieces(), "application/xml")
        assert [len(part["Body"]) // 1024**2 for part in parts] == [8, 8, 5]
        answer = clients.s3().get_object(Bucket=BUCKET, Key=f"results/{SCAN_ID}/nmap.xml")
        with answer["Body"] as body:
            assert body.read() == b"".join(bytes([number]) * 1024**2 for number in range(21))
        assert answer["ContentType"] == "application/xml"

    def test_a_result_that_breaks_off_leaves_what_was_there_before(
        self, s3_store: S3ReportStore, script: Script
    ) -> None:
        parts = script(clients.s3(), "upload_part", ())

        def pieces() -> Iterator[bytes]:
            yield from [bytes(9 * 1024**2)] * 2
            raise ValueError("a report that ends badly")

        s3_store.put_result(SCAN_ID, "nmap.xml", [b"before"], "application/xml")
        with pytest.raises(ValueError, match="ends badly"):
            s3_store.put_result(SCAN_ID, "nmap.xml", pieces(), "application/xml")
        with clients.s3().get_object(Bucket=BUCKET, Key=f"results/{SCAN_ID}/nmap.xml")["Body"] as body:
            assert body.read() == b"before"
        assert len(parts) == 2
        assert "Uploads" not in clients.s3().list_multipart_uploads(Bucket=BUCKET)

    def test_a_part_that_cannot_be_stored_is_an_error(self, s3_store: S3ReportStore, script: Script) -> None:
        refused = ClientError({"Error": {"Code": "SlowDown", "Message": "why"}}, "UploadPart")
        script(clients.s3(), "upload_part", repeat(refused))
        with pytest.raises(GatewayUnavailable, match=r"report store: .*SlowDown"):
            s3_store.put_result(SCAN_ID, "nmap.xml", [bytes(9 * 1024**2)] * 2, "application/xml")

    def test_a_report_longer_than_one_part_is_stored_in_parts(
        self, s3_store: S3ReportStore, report: Path, script: Script
    ) -> None:
        long = random.Random(1).randbytes(9 * 1024**2)  # noqa: S311  # the same bytes in every run
        report.write_bytes(long)
        parts = script(clients.s3(), "upload_part", ())
        s3_store.put_report(KEY, report, {})
        assert len(parts) == 2
        with s3_store.open_report(KEY) as stream:
            assert b"".join(iter(lambda: stream.read(100_000), b"")) == long

    def test_keys_are_read_from_every_page_and_strangers_are_passed_over(
        self, s3_store: S3ReportStore, report: Path, script: Script
    ) -> None:
        keys = [ReportKey(SCAN_ID, shard, 1) for shard in range(5)]
        for key in keys:
            s3_store.put_report(key, report, {})
        clients.s3().put_object(Bucket=BUCKET, Key=f"reports/{SCAN_ID}/README", Body=b"")
        page = clients.s3().list_objects_v2
        requests = script(clients.s3(), "list_objects_v2", repeat(lambda request: page(**request, MaxKeys=2)))
        assert list(s3_store.report_keys(SCAN_ID)) == keys
        assert len(requests) == 3

    def test_an_error_in_the_middle_of_a_report_is_translated(
        self, s3_store: S3ReportStore, report: Path, script: Script
    ) -> None:
        timeout, get = ReadTimeoutError(endpoint_url="x"), clients.s3().get_object

        def silent_after_the_first_read(request: dict[str, Any]) -> Any:
            answer = get(**request)
            body = Mock(wraps=answer["Body"])
            body.read.side_effect = [b"x" * 1024**2, timeout]
            return {**answer, "Body": body}

        report.write_bytes(b"x" * 3 * 1024**2)
        s3_store.put_report(KEY, report, {})
        script(clients.s3(), "get_object", [silent_after_the_first_read])
        with s3_store.open_report(KEY) as stream:
            assert stream.read(1024) == b"x" * 1024
            with pytest.raises(GatewayUnavailable, match="report store: ") as caught:
                stream.read()
        assert caught.value.__cause__ is timeout

    def test_a_bucket_that_cannot_be_reached_is_unavailable(self, s3_store: S3ReportStore, report: Path) -> None:
        gone = S3ReportStore("no-such-bucket")
        calls = (
            lambda: gone.put_report(KEY, report, {}),
            lambda: gone.open_report(KEY),
            lambda: list(gone.report_keys(SCAN_ID)),
            lambda: gone.put_result(SCAN_ID, "x", BytesIO(b""), "text/plain"),
        )
        for call in calls:
            with pytest.raises(GatewayUnavailable, match=r"report store: .*NoSuchBucket"):
                call()

    def test_a_report_that_may_not_be_read_is_unavailable(self, s3_store: S3ReportStore, script: Script) -> None:
        script(clients.s3(), "get_object", [ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")])
        with pytest.raises(GatewayUnavailable, match="AccessDenied"):
            s3_store.open_report(KEY)

    def test_every_version_of_a_removed_report_is_deleted(self, s3_store: S3ReportStore, report: Path) -> None:
        clients.s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for _ in range(3):
            s3_store.put_report(KEY, report, {})
        clients.s3().delete_object(Bucket=BUCKET, Key=str(KEY))
        assert s3_store.remove_scan(SCAN_ID, most=100)
        left = clients.s3().list_object_versions(Bucket=BUCKET)
        assert not left.get("Versions")
        assert not left.get("DeleteMarkers")

    def test_an_object_that_was_not_removed_is_an_error(
        self, s3_store: S3ReportStore, report: Path, script: Script
    ) -> None:
        s3_store.put_report(KEY, report, {})
        script(clients.s3(), "delete_objects", [{"Errors": [{"Code": "AccessDenied"}]}])
        with pytest.raises(GatewayUnavailable, match="1 objects were not removed: AccessDenied"):
            s3_store.remove_scan(SCAN_ID, most=100)


class TestRecords:
    def test_a_record_is_read_as_stored_until_the_next_of_its_name_replaces_it(self, reports: ReportStore) -> None:
        reports.put_record(SCAN_ID, "plan.jsonl", [b"one\n", b"two\n"])
        reports.put_record(SCAN_ID, "end.json", [b"first"])
        reports.put_record(SCAN_ID, "end.json", [b"second"])
        assert [read_record(reports, name) for name in reports.records(SCAN_ID)] == [b"second", b"one\ntwo\n"]

    def test_a_record_that_was_never_stored_does_not_exist(self, reports: ReportStore) -> None:
        assert reports.open_record(SCAN_ID, "end.json") is None
        assert list(reports.records(SCAN_ID)) == list(reports.recorded_scans()) == []

    def test_scans_that_have_records_are_listed_once_and_those_with_reports_alone_are_not(
        self, reports: ReportStore, report: Path
    ) -> None:
        other = derive_scan_id("another")
        for scan_id in (SCAN_ID, other):
            for name in ("plan.jsonl", "runs/000000-1.json"):
                reports.put_record(scan_id, name, [b"{}"])
        reports.put_report(ReportKey(derive_scan_id("a third"), 0, 1), report, {})
        assert list(reports.recorded_scans()) == sorted((SCAN_ID, other))
        assert list(reports.records(other)) == ["plan.jsonl", "runs/000000-1.json"]

    def test_records_go_with_their_scan(self, reports: ReportStore) -> None:
        reports.put_record(SCAN_ID, "plan.jsonl", [b"{}"])
        assert reports.remove_scan(SCAN_ID, 100)
        assert list(reports.recorded_scans()) == []


def read_record(reports: ReportStore, name: str) -> bytes:
    stream = reports.open_record(SCAN_ID, name)
    assert stream
    with stream:
        return stream.read()
