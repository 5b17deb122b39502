"""What the bucket keeps of one results JSON of Vuls, below `vuls/`.

results/<path>.json              put there by a user, with a config.toml in its folder or above
answers/<path>.json              the copy with portReachableTo, once the last scan has ended
summaries/<path>.json            how far it is, why it is refused, and what was found
asked/<id>/state.json            what was asked, and the digests of the requests
asked/<id>/results.json          the results as they were then
asked/<id>/ended/<number>.json   the scan of one request has ended
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cascan.errors import UnreadableItem
from cascan.gateways import OperatorRecords

RESULTS, CONFIG, SUFFIX = "results/", "config.toml", ".json"


class AskedRequest(msgspec.Struct, frozen=True):
    digest: str  # of the request's body
    destinations: dict[str, list[int]]


class Asked(msgspec.Struct, frozen=True):
    """What was asked for one results JSON."""

    path: str  # of the results, below results/
    is_local: bool
    refused: dict[str, str]  # address → why it is not asked
    requests: tuple[AskedRequest, ...]


class EndedRequest(msgspec.Struct, frozen=True):
    scan_id: str


class VulsRecords:
    """The records of results, their requests and their answers."""

    def __init__(self, records: OperatorRecords) -> None:
        self._records = records

    def results(self, path: str) -> bytes | None:
        return self._records.get(RESULTS + path)

    def config(self, path: str) -> bytes | None:
        """The config.toml beside the results, or in the nearest folder above. None: there is none."""
        for folder in _list_folders(path):
            config = self._records.get(f"{RESULTS}{folder}{CONFIG}")
            if config is not None:
                return config
        return None

    def store_asked(self, vuls_id: str, asked: Asked, results: bytes) -> None:
        """The state is stored last: where it is, everything is."""
        self._records.put(f"asked/{vuls_id}/results.json", results)
        self._records.put(f"asked/{vuls_id}/state.json", msgspec.json.encode(asked))

    def asked(self, vuls_id: str) -> Asked | None:
        """Raises: UnreadableItem: another version stored it, or it is damaged."""
        state = self._records.get(f"asked/{vuls_id}/state.json")
        try:
            return None if state is None else msgspec.json.decode(state, type=Asked)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise UnreadableItem(f"vuls/asked/{vuls_id}/state.json cannot be read: {exc}") from exc

    def asked_results(self, vuls_id: str) -> bytes:
        return self._records.get(f"asked/{vuls_id}/results.json") or b""

    def store_end(self, vuls_id: str, number: int, scan_id: str) -> None:
        self._records.put(f"asked/{vuls_id}/ended/{number}.json", msgspec.json.encode(EndedRequest(scan_id)))

    def ended(self, vuls_id: str, count: int) -> list[str] | None:
        """The scans of all `count` requests, in order. None: some of them have not ended.

        Two ends at once: each stores its own before it looks, so at least one sees both.
        """
        texts = [self._records.get(f"asked/{vuls_id}/ended/{number}.json") for number in range(count)]
        scans = [msgspec.json.decode(text, type=EndedRequest).scan_id for text in texts if text is not None]
        return scans if len(scans) == count else None

    def summary(self, path: str) -> dict[str, Any]:
        """The summary; empty if there is none that can be read."""
        text = self._records.get(f"summaries/{path}")
        try:
            return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}

    def store_summary(self, path: str, summary: dict[str, Any]) -> None:
        self._records.put(f"summaries/{path}", msgspec.json.encode(summary))

    def store_answer(self, path: str, copy: bytes) -> None:
        self._records.put(f"answers/{path}", copy)


def _list_folders(path: str) -> Iterator[str]:
    """The folders from that of the path up to results/ itself, each with its slash; the last is empty."""
    folder = path
    while folder:
        folder = folder.rstrip("/").rpartition("/")[0]
        yield f"{folder}/" if folder else ""
