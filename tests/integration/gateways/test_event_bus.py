"""EventBus's contract, on the fake and on EventBridge; and what only EventBridge does."""

from __future__ import annotations

import json
from itertools import repeat
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.boundary import MAX_TRIES
from cascan.aws.event_bus import MAX_CALL_BYTES
from cascan.errors import GatewayUnavailable
from tests.integration.gateways.conftest import BUS, ObservedBus, Script
from tests.integration.gateways.examples import an_event


class TestEventBus:
    @pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
    def test_every_event_arrives_as_it_was_put(self, observed: ObservedBus, count: int) -> None:
        events = [an_event(number, "büro") for number in range(count)]
        observed.bus.put(iter(events))
        assert observed.received() == events


class TestEventBridge:
    def test_an_entry_names_us_and_its_event(self, eventbridge_bus: ObservedBus, script: Script) -> None:
        requests = script(clients.events(), "put_events", ())
        eventbridge_bus.bus.put([an_event()])
        ((entry,),) = (request["Entries"] for request in requests)
        assert json.loads(entry.pop("Detail"))["event_id"] == "event-0"
        assert entry == {"EventBusName": BUS, "Source": "cascan", "DetailType": "ScanPlanned", "Resources": []}

    def test_entries_that_were_not_taken_are_put_again_and_no_others(
        self, eventbridge_bus: ObservedBus, script: Script, pauses: list[float]
    ) -> None:
        put = clients.events().put_events

        def all_but_the_second(request: dict[str, Any]) -> dict[str, Any]:
            first, _second, third = request["Entries"]
            put(Entries=[first, third])
            failed = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}
            return {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, failed, {"EventId": "3"}]}

        requests = script(clients.events(), "put_events", [all_but_the_second])
        eventbridge_bus.bus.put(map(an_event, range(3)))
        assert [len(request["Entries"]) for request in requests] == [3, 1]
        assert eventbridge_bus.received() == [an_event(0), an_event(2), an_event(1)]
        assert len(pauses) == 1

    def test_entries_that_are_never_taken_are_an_error(self, eventbridge_bus: ObservedBus, script: Script) -> None:
        def none(request: dict[str, Any]) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"} for _ in request["Entries"]]}

        requests = script(clients.events(), "put_events", repeat(none))
        with pytest.raises(GatewayUnavailable, match="event bus: 2 events were not taken: InternalFailure"):
            eventbridge_bus.bus.put(map(an_event, range(2)))
        assert len(requests) == MAX_TRIES

    def test_long_events_travel_in_calls_of_less_than_a_megabyte(
        self, eventbridge_bus: ObservedBus, script: Script
    ) -> None:
        requests = script(clients.events(), "put_events", repeat(_taken))
        eventbridge_bus.bus.put(an_event(number, "ü" * 200_000) for number in range(5))
        calls = [[len(entry["Detail"].encode()) for entry in request["Entries"]] for request in requests]
        assert [len(call) for call in calls] == [2, 2, 1]
        assert all(sum(call) < MAX_CALL_BYTES for call in calls)

    def test_an_error_of_the_client_is_translated(self, eventbridge_bus: ObservedBus, script: Script) -> None:
        script(clients.events(), "put_events", [ClientError({"Error": {"Code": "AccessDenied"}}, "PutEvents")])
        with pytest.raises(GatewayUnavailable, match=r"event bus: .*AccessDenied"):
            eventbridge_bus.bus.put([an_event()])


def _taken(request: dict[str, Any]) -> dict[str, Any]:
    return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in request["Entries"]]}
