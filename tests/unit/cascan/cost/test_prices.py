"""A price file: complete and dated, or an error that names each field."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import cascan.cost
from cascan.cost.prices import NAMES, PriceFileInvalid, bundled_prices, read_prices

BUNDLED = Path(cascan.cost.__path__[0]) / "prices.json"


def change_price(name: str, **fields: Any) -> str:
    document = json.loads(BUNDLED.read_text())
    document["prices"][name].update(fields)
    return json.dumps(document)


def test_the_bundled_file_has_every_price_with_its_region_and_source_page() -> None:
    entries = json.loads(BUNDLED.read_text())["prices"]
    assert set(entries) == set(NAMES)
    assert all(entry["source"].startswith("https://aws.amazon.com/") for entry in entries.values())
    assert bundled_prices().regions == ("us-east-1",)


def test_what_the_networks_cost_is_beside_the_prices_of_a_scan_with_its_source_page() -> None:
    entries = json.loads(BUNDLED.read_text())["networkPrices"]
    assert set(entries) == {"natGatewayHour", "endpointHour"}  # infra/deploy.py says them before it makes a network
    assert all(0 < entry["usd"] < 1 for entry in entries.values())
    assert all(entry["source"].startswith("https://aws.amazon.com/") for entry in entries.values())


def test_a_file_of_one_s_own_replaces_the_prices() -> None:
    prices = read_prices(change_price("sqsRequest", usd=0.5, region="eu-central-1"))
    assert prices.prices.sqs_request == 0.5
    assert prices.regions == ("eu-central-1", "us-east-1")


@pytest.mark.parametrize("usd", [None, "0.1", True, -1, float("nan"), float("inf"), 10**400, 2_000])
def test_a_price_that_is_no_usable_number_is_named(usd: object) -> None:
    with pytest.raises(PriceFileInvalid, match=r"prices\.s3Put\.usd: must be a number"):
        read_prices(change_price("s3Put", usd=usd))


@pytest.mark.parametrize("field", ["per", "region", "source"])
def test_a_price_without_its_unit_region_or_source_is_named(field: str) -> None:
    with pytest.raises(PriceFileInvalid, match=rf"prices\.s3Put\.{field}: must be a text"):
        read_prices(change_price("s3Put", **{field: ""}))


def test_missing_and_unknown_prices_are_named() -> None:
    document = json.loads(BUNDLED.read_text())
    document["prices"]["sqsRequets"] = document["prices"].pop("sqsRequest")
    with pytest.raises(PriceFileInvalid, match=r"prices\.sqsRequest: missing; prices\.sqsRequets: unknown"):
        read_prices(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "must be an object"),
        ("{}", "date: must be the day"),
        ('{"date": "31.3.2026", "prices": []}', "prices: must be an object"),
        ('{"date": "2026-03-31", "prices": {"s3Put": 5}}', r"prices\.s3Put: must be an object with usd"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PriceFileInvalid, match=problem):
        read_prices(text)


def test_prices_older_than_a_year_get_a_note() -> None:
    prices = read_prices(BUNDLED.read_text().replace('"date": "2026-03-31"', '"date": "2024-01-01"'))
    assert prices.describe_age(date(2024, 12, 31)) == ""
    assert "more than a year old" in prices.describe_age(date(2025, 1, 1))
