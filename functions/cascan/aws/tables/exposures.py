"""Exposures in the scan table.

what           pk                             sk                            attributes
─────────────  ─────────────────────────────  ────────────────────────────  ───────────────────────────────
expectations   stack                          expectations                  body, version
day            stack                          exposure-day                  body
exposure       exposures/<vantage>/<network>  <address>/<protocol>/<port>/  body, version;
                                              <kind>                        listing="exposures/<state>",
                                                                            listed_at=<changed at>#<id>
place          exposure/<id>                  place                         partition, place (its keys)
confirmations  confirmations/<scan id>        count                         requests (set), expires_at

The network is the /24 or /120 of the address; network and address are written in hex, the port with
five digits. So one query reads the exposures of a network. `version` is the exposure's revision. A
place is written before its exposure, and never changed. The body is JSON, at most some 20 KB long.

The items belong to no scan. Only `cascan rebuild` and these writers touch them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import (
    Item,
    build_key,
    encode_body,
    format_instant,
    read_item,
    readable_items,
    to_values,
    unpack_text,
)
from cascan.aws.tables.inventory_items import to_hex
from cascan.limits import ISSUED_DAYS
from cascan.model.exposure import Exposure, ExposureDay, ExposureState, ExposureSubject, StoredExpectations
from cascan.nmap.addresses import parse_address

NETWORK_DIGITS = 2  # hex digits that tell the addresses of a network apart
EXPECTATIONS_KEY = build_key("stack", "expectations")
DAY_KEY = build_key("stack", "exposure-day")
PAGE = 100  # exposures of a list


class ExposureItems(TablePart):
    """The part of ScanTable for exposures."""

    def expectations(self) -> StoredExpectations | None:
        item = self._table.get(EXPECTATIONS_KEY)
        return read_item(item, _read_expectations) if item else None

    def put_expectations(self, stored: StoredExpectations) -> bool:
        item = EXPECTATIONS_KEY | {"body": encode_body(stored), "version": {"N": str(stored.version)}}
        return self._table.put_version(item, stored.version)

    def exposures_at(self, addresses: Collection[str], *, vantage: str) -> list[Exposure]:
        if not addresses:
            return []
        numbers = sorted(to_hex(int(number), number.version) for number in map(parse_address, addresses))
        network = numbers[0][:-NETWORK_DIGITS]
        items = self._table.between(f"exposures/{vantage}/{network}", numbers[0], f"{numbers[-1]}/~")
        found = readable_items(items, _read_exposure)
        return [exposure for exposure in found if exposure.subject.address in addresses]

    def get_exposure(self, exposure_id: str) -> Exposure | None:
        place = self._table.get(_place_key(exposure_id))
        if place is None:
            return None
        item = self._table.get(build_key(place["partition"]["S"], place["place"]["S"]))
        return read_item(item, _read_exposure) if item else None

    def put_exposure(self, exposure: Exposure) -> bool:
        key = _exposure_key(exposure.subject)
        if exposure.revision == 1:
            place = to_values({"partition": key["pk"]["S"], "place": key["sk"]["S"]})
            self._table.put(_place_key(exposure.exposure_id) | place)
        changed_at = format_instant(exposure.changed_at) if exposure.changed_at else "0"
        attributes: dict[str, Any] = {
            "version": exposure.revision,
            "listing": _list_name(exposure.state),
            "listed_at": f"{changed_at}#{exposure.exposure_id}",
        }
        item = key | {"body": encode_body(exposure)} | to_values(attributes)
        return self._table.put_version(item, exposure.revision)

    def list_exposures(self, state: ExposureState, *, after: str = "") -> Iterator[tuple[str, Exposure]]:
        items = self._table.query(
            IndexName="listing",
            KeyConditionExpression="listing = :listing AND listed_at > :after",
            ExpressionAttributeValues={":listing": {"S": _list_name(state)}, ":after": {"S": after or "!"}},
            Limit=PAGE,
        )
        return readable_items(items, lambda item: (str(item["listed_at"]["S"]), _read_exposure(item)))

    def exposure_day(self) -> ExposureDay | None:
        item = self._table.get(DAY_KEY)
        return read_item(item, _read_day) if item else None

    def put_exposure_day(self, day: ExposureDay) -> None:
        self._table.put(DAY_KEY | {"body": encode_body(day)})

    def count_confirmations(self, scan_id: str, request: str, limit: int) -> bool:
        key = build_key(f"confirmations/{scan_id}", "count")
        expires_at = int((self._table.clock() + timedelta(days=ISSUED_DAYS)).timestamp())
        counted = self._table.update(
            key,
            "ADD #requests :request SET #expires_at = :expires_at",
            when="attribute_not_exists(pk) OR contains(#requests, :name) OR size(#requests) < :limit",
            values={
                ":request": {"SS": [request]},
                ":name": {"S": request},
                ":limit": {"N": str(limit)},
                ":expires_at": {"N": str(expires_at)},
            },
        )
        return counted is not None


def _list_name(state: ExposureState) -> str:
    return f"exposures/{state.value}"


def _exposure_key(subject: ExposureSubject) -> Item:
    number = parse_address(subject.address)
    digits = to_hex(int(number), number.version)
    place = f"{digits}/{subject.protocol}/{subject.port:05d}/{subject.kind}"
    return build_key(f"exposures/{subject.vantage}/{digits[:-NETWORK_DIGITS]}", place)


def _place_key(exposure_id: str) -> Item:
    return build_key(f"exposure/{exposure_id}", "place")


def _read_exposure(item: Item) -> Exposure:
    return msgspec.json.decode(unpack_text(item["body"]), type=Exposure)


def _read_expectations(item: Item) -> StoredExpectations:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredExpectations)


def _read_day(item: Item) -> ExposureDay:
    return msgspec.json.decode(unpack_text(item["body"]), type=ExposureDay)
