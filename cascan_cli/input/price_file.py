"""A file with prices for `cascan cost`."""

from __future__ import annotations

from pathlib import Path

from cascan.cost.prices import MAX_PRICE_FILE_BYTES, PriceFileInvalid, PriceList, bundled_prices, read_prices
from cascan_cli.errors import BadInput


def read_price_file(name: str | None) -> PriceList:
    """The prices in the file; None: those that come with cascan.

    Raises: BadInput: the file cannot be read, or a field is missing or wrong.
    """
    if name is None:
        return bundled_prices()
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_PRICE_FILE_BYTES + 1)
        if len(data) > MAX_PRICE_FILE_BYTES:
            raise BadInput(f"{name} is longer than the {MAX_PRICE_FILE_BYTES} bytes of a price file")
        return read_prices(data.decode())
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    except PriceFileInvalid as exc:
        raise BadInput(f"{name}: {exc}") from exc
