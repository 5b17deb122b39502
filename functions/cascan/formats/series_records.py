"""What a series of scans knows to be there: the findings of its newest scan, and older ones that no newer scan
looked for again.

A finding is gone only if a newer scan looked where it was: `cascan.queries.since_last_scan` says what
counts as a look. So a smaller scan, a host that did not answer in time, or a script that did not run
closes nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise

from cascan.formats.records import Record, ScanFields, find_status
from cascan.formats.select_records import ExportTable
from cascan.limits import MAX_EXPORTED_SERIES_SCANS, MAX_SERIES_SCANS
from cascan.model.finding import Finding
from cascan.model.scan import ACCOUNTED, Scan, ScanState
from cascan.queries.finding_query import FindingQuery
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import Coverage

FINDINGS_AT_ONCE = 500  # whose places are looked up together
NOT_COVERED = "the newest scan of the series did not look at its place"
# Scans whose result is never `open|filtered`, and options that say nothing of ports
CONCLUSIVE_SCANS = frozenset({"-sS", "-sT", "-sV", "-sC"})
VALUED_OPTIONS = frozenset({"-p", "--script", "--script-args"})
SeenFinding = tuple[str, Finding]  # with its vantage


class Series:
    """The scans of one name that are Done, the newest first, of each vantage or set of vantages."""

    def __init__(self, name: str, table: ExportTable) -> None:
        scans = [scan for scan in table.list_scans(MAX_SERIES_SCANS) if _is_of_series(scan, name)]
        self._table = table
        self._places: dict[tuple[str, bool], list[Scan]] = {}
        for scan in scans:
            self._places.setdefault((scan.vantage, bool(scan.members)), []).append(scan)
        self.newest = scans[0] if scans else None
        self.unread = 0  # scans beyond MAX_EXPORTED_SERIES_SCANS

    def select_records(self, query: FindingQuery) -> Iterator[Record]:
        for scans in self._places.values():
            needed = list(_leave_out_repeated(scans))
            self.unread += len(needed[MAX_EXPORTED_SERIES_SCANS:])
            yield from self._select(needed[:MAX_EXPORTED_SERIES_SCANS], query)

    def _select(self, scans: Sequence[Scan], query: FindingQuery) -> Iterator[Record]:
        seen = _SeenFindings()
        for place, scan in enumerate(scans):
            findings = seen.add_all(read_findings_by_vantage(scan, self._table))
            fitting = (entry for entry in findings if query.fits(entry[1]))
            current = self._leave_out_resolved(fitting, scan, scans[:place]) if place else fitting
            fields = ScanFields.of(scan)
            for vantage, finding in current:
                yield Record(
                    finding=finding,
                    scan=fields,
                    status=find_status(finding),
                    vantage=vantage or scan.vantage,
                    is_covered=place == 0,
                    labels=scan.labels,
                    note="" if place == 0 else NOT_COVERED,
                )

    def _leave_out_resolved(
        self, findings: Iterator[SeenFinding], scan: Scan, newer_scans: Sequence[Scan]
    ) -> Iterator[SeenFinding]:
        """The findings of `scan` at whose places none of the newer scans looked again."""
        coverages = [Coverage(newer, scan, self._table) for newer in newer_scans]
        while batch := list(islice(findings, FINDINGS_AT_ONCE)):
            for coverage in coverages:
                judged = coverage.judge(batch)
                batch = [(vantage, finding) for vantage, finding, is_resolved in judged if not is_resolved]
            yield from batch


class _SeenFindings:
    """The findings of newer scans, by 8 bytes each."""

    def __init__(self) -> None:
        self._newest = array("q")
        self._others: set[int] = set()  # few: what the newest scan does not have

    def add_all(self, findings: Iterator[SeenFinding]) -> Iterator[SeenFinding]:
        """The findings that were not added before, which are added."""
        if not self._newest:
            hashes = array("q")
            for entry in findings:
                hashes.append(_hash(entry))
                yield entry
            self._newest = array("q", sorted(hashes))
            return
        for entry in findings:
            key = _hash(entry)
            if key not in self._others and not self._is_of_newest(key):
                self._others.add(key)
                yield entry

    def _is_of_newest(self, key: int) -> bool:
        place = bisect_left(self._newest, key)
        return place < len(self._newest) and self._newest[place] == key


def _hash(entry: SeenFinding) -> int:
    vantage, finding = entry
    return hash((vantage, finding.fingerprint))


def _is_of_series(scan: Scan, name: str) -> bool:
    return scan.name == name and scan.state is ScanState.DONE and not scan.member_of


def _leave_out_repeated(scans: Sequence[Scan]) -> Iterator[Scan]:
    """The scans without those that a newer complete scan repeated: it looked wherever they did."""
    repeated: set[tuple[object, ...]] = set()
    for scan in scans:
        request = scan.request
        if request is None:
            yield scan
            continue
        key = request.targets, request.exclude, request.parameters, request.vantage
        if key not in repeated:
            yield scan
        if scan.outcome in ACCOUNTED and _is_conclusive(request.targets, request.parameters):
            repeated.add(key)


def _is_conclusive(targets: Sequence[str], parameters: Sequence[str]) -> bool:
    """Whether two such scans look at the same addresses and ports, and each look tells.

    A name may get another address, and a UDP port that does not answer may be open or not.
    """
    scans = {option for option in parameters if option.startswith("-s")}
    has_names = any(map(_has_letters, chain(targets, _list_free_words(parameters))))
    return bool(targets) and not has_names and scans <= CONCLUSIVE_SCANS


def _has_letters(target: str) -> bool:
    is_ipv6 = target.count(":") > 1
    return not is_ipv6 and any(char.isalpha() for char in target)


def _list_free_words(parameters: Sequence[str]) -> Iterator[str]:
    """The words that may be targets: all but options, and the values of options that have one for sure."""
    for option, word in pairwise(("", *parameters)):
        if not word.startswith("-") and option not in VALUED_OPTIONS:
            yield word
