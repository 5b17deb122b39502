"""The bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

from cascan.ids import ReportKey


class ReportStore(Protocol):
    """The bucket: what nmap wrote, and what was made of it."""

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        """Store a report byte for byte."""

    def open_report(self, key: ReportKey, start: int = 0) -> IO[bytes]:
        """A stream of the report, from byte `start` on. Raises: MalformedMessage: there is none under this key."""

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        """The scan's reports, in order of shard and attempt."""

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        """Keep what a rebuild needs of the scan, in pieces of any size; over what has the name."""

    def open_record(self, scan_id: str, name: str) -> IO[bytes] | None:
        """A stream of the record; None: there is none of this name."""

    def records(self, scan_id: str) -> Iterator[str]:
        """The names of the scan's records, in order."""

    def recorded_scans(self) -> Iterator[str]:
        """Every scan that has records, in order of their ids."""

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove every version of the scan's reports, results, records. False: after `most`, some are left."""

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        """Publish a result of the scan, in pieces of any size. One that breaks off leaves what was there before."""
