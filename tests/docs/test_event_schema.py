"""docs/events.schema.json is made from the events, and the examples of docs/events.md fit it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from cascan.events import BUS_EVENTS
from tests.docs.event_schema import SCHEMA, event_schema, schema_text

VALIDATOR = Draft202012Validator(event_schema())
BLOCKS = re.findall(r"^```json\n(.*?)^```", SCHEMA.with_name("events.md").read_text(), re.MULTILINE | re.DOTALL)
EXAMPLES: list[dict[str, Any]] = [json.loads(block) for block in BLOCKS]


def test_it_is_made_from_the_events() -> None:
    assert SCHEMA.read_text() == schema_text(), "write it again: python -m tests.docs.event_schema"


def test_each_event_has_an_example() -> None:
    assert {example["detail-type"] for example in EXAMPLES} == {kind.__name__ for kind in BUS_EVENTS}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["detail-type"])
def test_an_example_fits_the_schema(example: dict[str, Any]) -> None:
    VALIDATOR.validate(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["detail-type"])
def test_another_version_another_type_or_a_missing_field_does_not_fit(example: dict[str, Any]) -> None:
    detail = example["detail"]
    without = {name: value for name, value in detail.items() if name != "scan_id"}
    for other in (detail | {"version": 2}, detail | {"labels": ["a"]}, without):
        assert not VALIDATOR.is_valid(example | {"detail": other})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["detail-type"])
def test_an_example_has_each_field_of_its_event(example: dict[str, Any]) -> None:
    assert example["detail"].keys() == event_schema()["$defs"][example["detail-type"]]["properties"].keys()
