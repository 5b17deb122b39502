"""DynamoDB's wire form of values: JSON texts, compressed if they are long; numbers, times, names.

`Value` is one attribute, such as `{"S": "text"}` or `{"N": "1"}`. `Item` holds the attributes of an
item by name.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from cascan.errors import Rejected
from cascan.limits import MAX_UNPACKED_BYTES
from cascan.stored import read_all_stored, read_stored

Value = dict[str, Any]  # {"S": "text"}, {"N": "1"} …
Item = dict[str, Value]
T = TypeVar("T")

PACKED_BYTES = 4_096
UNIT_BYTES = 1_024  # of an item, that one write unit pays for
FAST_COMPRESSION = 3  # 6 takes half as long again, and saves 4 % of the bytes
MAX_BODY_BYTES = 380_000  # an item may have 400 KB, with its names, keys and other attributes


def build_key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def encode_body(value: object) -> Value:
    """The value as JSON text, compressed if it is long.

    Raises: Rejected: it is too long for an item even when compressed.
    """
    return pack_text(msgspec.json.encode(value))


def pack_text(text: bytes) -> Value:
    """The text, compressed by zlib if it is long.

    Raises: Rejected: it is too long for an item even when compressed.
    """
    if len(text) <= PACKED_BYTES:
        return {"S": text.decode()}
    binary = zlib.compress(text)
    if len(binary) > MAX_BODY_BYTES:
        sizes = f"{len(text)} bytes, packed into {len(binary)}"
        raise Rejected(f"an item of the scan table does not hold {sizes}")
    return {"B": binary}


def add_body(item: Item, text: bytes) -> Item:
    """The item with the text as its body, packed where that costs fewer write units.

    Raises: Rejected: it is too long for an item even when compressed.
    """
    unpacked = item | {"body": {"S": text.decode()}}
    size = item_size(item) + len("body") + len(text)
    if size <= UNIT_BYTES:
        return unpacked
    binary = zlib.compress(text, FAST_COMPRESSION)
    if len(binary) > MAX_BODY_BYTES:
        binary = pack_text(text)["B"]
    if count_units(size) <= count_units(size - len(text) + len(binary)):
        return unpacked
    return item | {"body": {"B": binary}}


def count_units(size: int) -> int:
    """The write units that an item of so many bytes costs."""
    return -(-size // UNIT_BYTES)


def read_item(item: Item, reader: Callable[[Item], T]) -> T:
    """Read the item. Raises: UnreadableItem."""
    return read_stored(item, reader, _describe_item)


def readable_items(items: Iterable[Item], reader: Callable[[Item], T]) -> Iterator[T]:
    """Read the items; those that cannot be read are logged and skipped."""
    return read_all_stored(items, reader, _describe_item)


def _describe_item(item: Item) -> str:
    keys = (str(item.get(key, {}).get("S", "?")) for key in ("pk", "sk"))
    return f"the table's item {' '.join(keys)}"


def is_set(item: Item, name: str) -> bool:
    """Whether a flag is set. A missing flag is not."""
    return bool(item.get(name, {}).get("BOOL", False))


def unpack_body(item: Item) -> str | bytes:
    """The JSON text in an item's body."""
    return unpack_text(item["body"])


def decode_attribute(item: Item, name: str) -> Any:
    """The value of the JSON in an attribute; None: the item has no such attribute."""
    return msgspec.json.decode(unpack_text(item[name])) if name in item else None


def unpack_text(value: Value) -> str | bytes:
    """The text of a body, unpacked. A binary value is bytes in boto3, base64 in connection.py.

    Raises: ValueError, zlib.error: it is damaged, or longer than MAX_UNPACKED_BYTES.
    """
    if "S" in value:
        return str(value["S"])
    binary = value["B"]
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(b64decode(binary) if isinstance(binary, str) else binary, MAX_UNPACKED_BYTES)
    if not unpacker.eof:
        raise ValueError(f"it is cut off, or longer than {MAX_UNPACKED_BYTES} bytes unpacked")
    return text


def item_size(item: Item) -> int:
    """The approximate size in bytes of an item without maps: its names and values."""
    fields = item.items()
    return sum(len(name) + len(content) for name, value in fields for content in value.values())


def to_values(attributes: Mapping[str, Any]) -> Item:
    """The attributes in wire form, without those that are None."""
    return {name: to_value(value) for name, value in attributes.items() if value is not None}


def to_value(value: str | int | Mapping[str, Any]) -> Value:
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"M": to_values(value)}


def from_value(value: Value) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content)
    if kind == "M":
        return {name: from_value(inner) for name, inner in content.items()}
    return content


def find_names(*expressions: str) -> dict[str, str]:
    """The ExpressionAttributeNames of expressions: `#state` → `state`.

    They are needed because half of the attributes are reserved words of DynamoDB.
    """
    names = (name for expression in expressions for name in re.findall(r"#\w+", expression))
    return {name: name[1:] for name in names}


def format_instant(moment: datetime) -> str:
    """The moment as text that sorts by time, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
