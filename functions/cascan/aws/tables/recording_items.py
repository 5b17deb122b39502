"""The checkpoints of recordings, in the scan table. They are removed with their scan.

what       pk              sk                                     attributes
─────────  ──────────────  ─────────────────────────────────────  ──────────────────────
recording  scan/<scan id>  recording/<shard, 6 digits>/<attempt>  body, progress, writer
addresses  scan/<scan id>  recorded/<shard>/<attempt>/            body: intervals in hex
                           <from>-<to, 12 digits>/<page>

A recording lists the stretches that count, so the items of an overtaken delivery are never read. A
stretch of a report always has the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cascan.aws.boundary import chunks
from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import Item, encode_body, read_item, unpack_text
from cascan.ids import ReportKey
from cascan.model.recording import Recording
from cascan.nmap.intervals import Interval

INTERVALS_PER_PAGE = 4_096  # 270 KB at most, before compression


class RecordingItems(TablePart):
    """The part of ScanTable for reports that are recorded in several turns."""

    def recording(self, source: ReportKey) -> Recording | None:
        item = self._table.get(_key(source, f"recording/{_report_part(source)}"))
        return read_item(item, _recording_in) if item else None

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        for start, stop in recording.stretches:
            prefix = _stretch(source, start, stop)
            for page in self._table.children(f"scan/{source.scan_id}", prefix):
                yield from read_item(page, _intervals_in)

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        self._table.put_all(_pages(source, recording, addresses))
        item = _key(source, f"recording/{_report_part(source)}") | {"body": encode_body(recording)}
        return self._table.put_further(item, recording.progress, writer)


def _pages(
    source: ReportKey,
    recording: Recording,
    addresses: Iterable[Interval],
) -> Iterator[Item]:
    if not recording.stretches:
        return
    stretch = _stretch(source, *recording.stretches[-1])
    for number, page in enumerate(chunks(addresses, INTERVALS_PER_PAGE)):
        yield _key(source, f"{stretch}{number:03d}") | {
            "body": encode_body([f"{low:x}-{high:x}" for low, high in page])
        }


def _recording_in(item: Item) -> Recording:
    return msgspec.json.decode(unpack_text(item["body"]), type=Recording)


def _intervals_in(page: Item) -> list[Interval]:
    texts = msgspec.json.decode(unpack_text(page["body"]), type=tuple[str, ...])
    return [_interval_in(text) for text in texts]


def _interval_in(text: str) -> Interval:
    low, high = text.split("-")
    return int(low, 16), int(high, 16)


def _stretch(source: ReportKey, start: int, stop: int) -> str:
    return f"recorded/{_report_part(source)}/{start:012d}-{stop:012d}/"


def _report_part(source: ReportKey) -> str:
    return f"{source.shard:06d}/{source.attempt}"


def _key(source: ReportKey, sk: str) -> Item:
    return {"pk": {"S": f"scan/{source.scan_id}"}, "sk": {"S": sk}}
