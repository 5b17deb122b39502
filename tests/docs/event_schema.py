"""docs/events.schema.json, made from the events: what EventBridge delivers of each.

python -m tests.docs.event_schema    # writes it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from cascan.events import BUS_EVENTS, SOURCE
from cascan.events.message import VERSION

SCHEMA = Path(__file__).parents[2] / "docs" / "events.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def event_schema() -> dict[str, Any]:
    """A schema of the envelope for each event. It is open: fields are added within a version."""
    _, definitions = msgspec.json.schema_components(BUS_EVENTS, ref_template="#/$defs/{name}")
    for kind in BUS_EVENTS:
        definitions[kind.__name__]["properties"]["version"] = {"const": VERSION}
        definitions[kind.__name__]["required"].append("version")
    return {
        "$schema": DIALECT,
        "title": "Events of cascan on the bus",
        "description": f"Version {VERSION}. docs/events.md describes each event.",
        "oneOf": [_envelope(kind.__name__) for kind in BUS_EVENTS],
        "$defs": {name: _shape_alone(schema) for name, schema in definitions.items()},
    }


def _envelope(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "source": {"const": SOURCE},
            "detail-type": {"const": name},
            "detail": {"$ref": f"#/$defs/{name}"},
        },
        "required": ["source", "detail-type", "detail"],
    }


def _shape_alone(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the class's name, which the definition has, and its docstring: docs/events.md describes events."""
    return {name: value for name, value in schema.items() if name not in ("title", "description")}


def schema_text() -> str:
    return json.dumps(event_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
