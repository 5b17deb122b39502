"""docs/requests.md and docs/request.schema.json, made from the model of a request.

    python -m tests.docs.request_reference    # writes both

Types, defaults and limits are read from the schema; request_fields.py has what each field does, with an example.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cascan.forms.document import MAX_DEPTH
from cascan.forms.manifest import NO_EFFECT
from cascan.limits import (
    MAX_ADDRESSES_PER_SCAN,
    MAX_DOCUMENT_VALUES,
    MAX_OPTIONS,
    MAX_REQUEST_BYTES,
    MAX_SCRIPT_ARGUMENTS,
    MAX_SHARDS_PER_SCAN,
    PLANNING_SECONDS,
)
from tests.docs import request_schema
from tests.docs.request_fields import ANNOTATIONS, CASCADES, GROUPS, PORTSCAN, SPEC, Field
from tests.docs.request_schema import Schema

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT, SCHEMA = DOCS / "requests.md", DOCS / "request.schema.json"
HEADER = "| Field | Type | Default | Limit | Example | Effect |\n|---|---|---|---|---|---|\n"
NAMES = {"object": "mapping", "integer": "number"}  # the others are called what JSON calls them
NOTHING: tuple[Any, ...] = (None, "", [], {})
SHORT = {
    "name": "office-lan",
    "targets": ["10.0.0.0/24"],
    "exclude": ["10.0.0.13"],
    "parameters": ["-sV", "-p", "22,443"],
    "authorization": "CHG-1234",
    "contact": "soc@example.org",
    "windows": ["Mon-Fri 22:00-06:00 Europe/Berlin"],
}
MANIFEST = """\
apiVersion: execution.securecodebox.io/v1
kind: Scan
metadata:
  name: nmap-office
  labels: {team: blue}
  annotations: {cascan/windows: "Mon-Fri 22:00-06:00 Europe/Berlin"}
spec:
  scanType: nmap
  parameters: ["-sV", "-p", "22,443", "10.0.0.0/24"]
"""
REQUEST_LIMITS = {
    "the request's text": f"{MAX_REQUEST_BYTES // 1024} KiB of UTF-8, JSON or YAML",
    "texts, numbers, lists and mappings in it": f"{MAX_DOCUMENT_VALUES:,}",
    "levels of nesting": f"{MAX_DEPTH}",
    "nmap options among `parameters`": f"{MAX_OPTIONS:,}",
    "script arguments": f"{MAX_SCRIPT_ARGUMENTS:,}",
    "addresses of one scan": f"{MAX_ADDRESSES_PER_SCAN:,} (a /8)",
    "shards of one scan": f"{MAX_SHARDS_PER_SCAN:,}; beyond that shards get larger",
    "processor time for reading and planning it": f"{PLANNING_SECONDS:g} seconds",
}
DOCUMENT_TEXT = """# Requests

Made from the model by `python -m tests.docs.request_reference`; do not edit it here.

A request is one JSON or YAML mapping, in one of two forms: cascan's **short form**, which has every field, or a
secureCodeBox **`Scan` manifest**. A mapping with `apiVersion`, `kind`, `metadata` or `spec` is read as a manifest.
`cascan submit -f FILE` sends a request, `cascan check -f FILE` explains what would become of it without sending it, and
a program sends it to the stack's `RequestQueueUrl`.

A field that cascan does not know, a wrong type and a value beyond a limit are refused, all of them together, each with
the name of its field. The refusal is kept as a scan in the state `Errored`: `cascan scans --json` shows its reasons.

[request.schema.json](request.schema.json) is the JSON schema of both forms, for editors and other programs. Editors
with a YAML language server read it from a comment in the first line:

```yaml
# yaml-language-server: $schema=./docs/request.schema.json
targets: [10.0.0.5]
```

## The short form

```json
{short}
```
{groups}
### portscan

{portscan}
### windows

A window is written `[DAYS] HH:MM-HH:MM [ZONE]`, as in `22:00-06:00`, `Mon-Fri 22:00-06:00 Europe/Berlin` or
`Sat,Sun 00:00-24:00`. The days are those on which the window opens; a window that ends at or before its beginning ends
on the next day. The zone is an IANA name, and UTC by default. A scan may run while any of its windows is open.

### annotations

Both forms have them. Annotations with these names have a meaning, so that a manifest can say what it has no field for:

| Annotation | Example | Effect |
|---|---|---|
{annotations}
### cascades

Source: secureCodeBox's CascadeSpec. [cascades.md](cascades.md) explains what follows from it.

{cascades}
## A manifest

```yaml
{manifest}```

`metadata` gives `name` (or `generateName`), `labels` and `annotations`; its other fields are ignored. A null counts as
absent, as in Kubernetes. Fields of `spec`:

{spec}
These are accepted without an effect here, and the scan's notes say so:

| Field | Reason |
|---|---|
{no_effect}
## Limits of the whole request

| What | At most |
|---|---|
{limits}
The field `origin` belongs to requests that cascan itself sends for a cascade. It is refused in any other request.
"""


def schema_text() -> str:
    return json.dumps(request_schema.request_schema(), indent=2, ensure_ascii=False) + "\n"


def document() -> str:
    """docs/requests.md."""
    form = request_schema.short_form()["properties"]
    spec = request_schema.manifest()["properties"]["spec"]["properties"]
    return DOCUMENT_TEXT.format(
        short=_aligned(SHORT),
        groups="".join(f"\n### {title}\n\n{_table(fields, form)}" for title, fields in GROUPS.items()),
        portscan=_table(PORTSCAN, request_schema.portscan()["properties"]),
        annotations="".join(f"| `{name}` | `{one.example}` | {one.effect} |\n" for name, one in ANNOTATIONS.items()),
        cascades=_table(CASCADES, request_schema.cascades()["properties"]),
        manifest=MANIFEST,
        spec=_table(SPEC, spec),
        no_effect="".join(f"| `{name}` | {why} |\n" for name, why in NO_EFFECT.items()),
        limits="".join(f"| {what} | {most} |\n" for what, most in REQUEST_LIMITS.items()),
    )


def _aligned(example: Mapping[str, Any]) -> str:
    return "{" + ",\n ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in example.items()) + "}"


def _table(fields: Mapping[str, Field], schemas: Mapping[str, Schema]) -> str:
    return HEADER + "".join(_row(name, field, schemas[name]) for name, field in fields.items())


def _row(name: str, field: Field, schema: Schema) -> str:
    example = f"`{json.dumps(field.example, ensure_ascii=False)}`"
    default, limits = field.default or _default(schema), "; ".join(_limits(schema))
    return f"| `{name}` | {_type(schema)} | {default} | {limits} | {example} | {field.effect} |\n"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    kinds = schema.get("type", "object")
    (kind,) = {*([kinds] if isinstance(kinds, str) else kinds)} - {"null"}
    if kind == "array":
        return f"list of {_type(schema['items'])}s"
    strings = schema.get("additionalProperties")
    return "mapping of strings" if isinstance(strings, dict) else NAMES.get(kind, kind)


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return "required"
    return f"`{json.dumps(schema['default'])}`" if schema["default"] not in NOTHING else "none"


def _limits(schema: Schema) -> Iterator[str]:
    if "minimum" in schema:
        yield f"{schema['minimum']:,} to {schema['maximum']:,}"
    if "maxLength" in schema:
        yield f"{schema['maxLength']:,} characters"
    if "maxItems" in schema:
        yield f"{schema['maxItems']:,} {'entry' if schema['maxItems'] == 1 else 'entries'}"
    if "maxProperties" in schema:
        yield f"{schema['maxProperties']:,} entries"
    inner = schema.get("items", schema.get("additionalProperties"))
    if isinstance(inner, dict) and "maxLength" in inner:
        yield f"{inner['maxLength']:,} characters each"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    SCHEMA.write_text(schema_text())
