"""The report bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

from cascan.ids import ReportKey


class ReportStore(Protocol):
    """nmap's reports, the results made from them, and the records for a rebuild."""

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        """Store a report byte for byte."""

    def open_report(self, key: ReportKey, start: int = 0) -> IO[bytes]:
        """A stream of the report, from byte `start` on.

        Raises: MalformedMessage: there is no report with this key.
        """

    def report_metadata(self, key: ReportKey) -> Mapping[str, str]:
        """The metadata of the report, as they were stored.

        Raises: MalformedMessage: there is no report with this key.
        """

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        """The keys of the scan's reports, in order of shard and attempt."""

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        """Store a record that a rebuild needs, over an earlier one. `body`: chunks of any size."""

    def open_record(self, scan_id: str, name: str) -> IO[bytes] | None:
        """A stream of the record. None: the scan has no record of this name."""

    def records(self, scan_id: str) -> Iterator[str]:
        """The names of the scan's records, in order."""

    def recorded_scans(self) -> Iterator[str]:
        """The ids of all scans that have records, in order."""

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove every version of the scan's reports, results and records.

        False: at most `most` versions were removed, and others remain.
        """

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        """Store a result of the scan. `body`: chunks of any size.

        If the upload fails, an earlier result of this name stays.
        """
