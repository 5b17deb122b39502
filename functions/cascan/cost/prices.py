"""A file with AWS's prices: one comes with cascan, an operator may use another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

MAX_PRICE_FILE_BYTES = 64 * 1024
MAX_AGE = timedelta(days=365)
MAX_USD = 1_000.0  # of one unit: a higher price is a slip of the decimal point
MAX_TEXT_CHARS = 300
TEXTS = ("per", "region", "source")


class PriceFileInvalid(ValueError):
    """The price file cannot be used; the text names each field with a problem."""


class Prices(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """US dollars for one unit of each service. The file says per what, and names the region and the source page."""

    fargate_vcpu_hour: float
    fargate_gb_hour: float
    fargate_spot_vcpu_hour: float
    fargate_spot_gb_hour: float
    fargate_storage_gb_hour: float
    public_ipv4_hour: float
    lambda_gb_second: float
    lambda_request: float
    sqs_request: float
    dynamodb_write: float
    dynamodb_read: float
    dynamodb_gb_month: float
    s3_put: float
    s3_get: float
    s3_gb_month: float
    eventbridge_event: float
    logs_gb: float
    internet_gb: float
    zone_gb: float


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    prices: Prices
    checked_on: date  # the file's `date`
    regions: tuple[str, ...]

    def describe_age(self, today: date) -> str:
        """A note on prices older than a year; empty if they are newer."""
        if today - self.checked_on <= MAX_AGE:
            return ""
        return f"the prices are of {self.checked_on}, more than a year old: pass a newer file with --prices"


NAMES = Prices.__struct_encode_fields__


@cache
def bundled_prices() -> PriceList:
    """The prices that come with cascan."""
    return read_prices(Path(__file__).with_name("prices.json").read_text())


def read_prices(text: str) -> PriceList:
    """Read a price file.

    Raises: PriceFileInvalid: it is not JSON, or fields are missing or wrong; each is named.
    """
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise PriceFileInvalid(f"not JSON: {exc}") from exc
    except RecursionError as exc:
        raise PriceFileInvalid("not a price file: it is nested too deeply") from exc
    problems = list(_find_problems(document))
    if problems:
        raise PriceFileInvalid("; ".join(problems))
    entries = document["prices"]
    return PriceList(
        prices=msgspec.convert({name: entries[name]["usd"] for name in NAMES}, Prices),
        checked_on=date.fromisoformat(document["date"]),
        regions=tuple(sorted({entries[name]["region"] for name in NAMES})),
    )


def _find_problems(document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "the file must be an object with `date` and `prices`"
        return
    if not _is_date(document.get("date")):
        yield 'date: must be the day of the prices, such as "2026-03-31"'
    entries = document.get("prices")
    if not isinstance(entries, dict):
        yield "prices: must be an object with one entry for each price"
        return
    for name in NAMES:
        if name not in entries:
            yield f"prices.{name}: missing"
        else:
            yield from _find_price_problems(f"prices.{name}", entries[name])
    unknown = sorted(set(entries) - set(NAMES))
    if unknown:
        yield f"prices.{unknown[0][:80]}: unknown; the prices are {', '.join(NAMES)}"


def _find_price_problems(path: str, entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{path}: must be an object with usd, {', '.join(TEXTS)}"
        return
    if not _is_price(entry.get("usd")):
        yield f"{path}.usd: must be a number of US dollars from 0 to {MAX_USD:,.0f}"
    for field in TEXTS:
        text = entry.get(field)
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_CHARS:
            yield f"{path}.{field}: must be a text of 1 to {MAX_TEXT_CHARS} characters"


def _is_price(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MAX_USD  # neither NaN nor infinity


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(date.fromisoformat(text))
    except ValueError:
        return False
