"""EventBridgeBus puts events on the bus, up to ten in a call, and repeats those not accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cascan.aws import clients
from cascan.aws.boundary import chunks, translate_errors, tries
from cascan.errors import GatewayUnavailable
from cascan.events import SOURCE, BusEvent, detail_type

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef as Entry

GATEWAY = "event bus"
MAX_ENTRIES = 10  # PutEvents
MAX_CALL_BYTES = 1_000_000  # PutEvents takes less than 1 MB, source and detail type included


class EventBridgeBus:
    """EventBus on EventBridge."""

    def __init__(self, bus_name: str) -> None:
        self._bus_name = bus_name

    def put(self, events: Iterable[BusEvent]) -> None:
        entries = map(self._entry, events)
        for chunk in chunks(entries, MAX_ENTRIES, weigh=_entry_size, below=MAX_CALL_BYTES):
            self._put_all(chunk)

    def _entry(self, event: BusEvent) -> Entry:
        return {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": detail_type(event),
            "Detail": event.to_wire(),
            "Resources": [],
        }

    def _put_all(self, entries: list[Entry]) -> None:
        error_codes: set[str] = set()
        for _ in tries():
            with translate_errors(GATEWAY):
                results = clients.events().put_events(Entries=entries)["Entries"]
            error_codes = {result["ErrorCode"] for result in results if "ErrorCode" in result}
            pairs = zip(entries, results, strict=True)
            entries = [entry for entry, result in pairs if "ErrorCode" in result]
            if not entries:
                return
        codes = ", ".join(sorted(error_codes))
        raise GatewayUnavailable(f"{GATEWAY}: {len(entries)} events were not taken: {codes}")


def _entry_size(entry: Entry) -> int:
    return sum(len(entry[field].encode()) for field in ("Source", "DetailType", "Detail"))
