"""The formats by name. A format is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:  # the command imports this module for its --help, which has to be fast
    from cascan.formats.records import Export, Record

    Render = Callable[[Iterable[Record], Export], Iterator[bytes]]


class Format(NamedTuple):
    """A format, and the function that renders it."""

    name: str  # as `--as` takes it
    title: str
    suffix: str  # of a file
    media_type: str
    function: str  # `render_<name>` in the module cascan.formats.<module>
    module: str

    def load(self) -> Render:
        module = import_module(f"cascan.formats.{self.module}")
        return cast("Render", getattr(module, self.function))


FORMATS = {
    listed.name: listed
    for listed in (
        Format("json", "secureCodeBox findings", ".json", "application/json", "render_json", "json_array"),
        Format("jsonl", "one finding a line", ".jsonl", "application/x-ndjson", "render_jsonl", "json_lines"),
        Format("csv", "spreadsheet", ".csv", "text/csv; charset=utf-8", "render_csv", "csv_lines"),
        Format("md", "Markdown table", ".md", "text/markdown; charset=utf-8", "render_md", "markdown"),
        Format("sarif", "SARIF 2.1.0", ".sarif", "application/sarif+json", "render_sarif", "sarif"),
        Format("ocsf", "OCSF 1.6 events", ".ocsf.jsonl", "application/x-ndjson", "render_ocsf", "ocsf"),
        Format("defectdojo", "Generic Findings Import", ".json", "application/json", "render_defectdojo", "defectdojo"),
        Format("cyclonedx", "CycloneDX 1.6", ".cdx.json", "application/json", "render_cyclonedx", "cyclonedx"),
        Format("elastic", "ECS 8 bulk lines", ".ndjson", "application/x-ndjson", "render_elastic", "elastic"),
        Format("asff", "AWS Security Hub", ".json", "application/json", "render_asff", "asff"),
    )
}

TABLE_FORMATS = ("json", "jsonl", "csv", "md")  # that hold any table, not only findings


def check_table_format(name: str) -> None:
    """Raises: ValueError: there is no such format, or it is for findings; the sentence lists those of tables."""
    if name in TABLE_FORMATS:
        return
    problem = f"{name} is a format of findings" if name in FORMATS else f"unknown format {name!r}"
    raise ValueError(f"{problem}; write one of {', '.join(TABLE_FORMATS)}")


def find_format(name: str) -> Format:
    """Raises: ValueError: there is none; the sentence lists the formats."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}; write one of {', '.join(FORMATS)}")
    return FORMATS[name]


def render_records(name: str, records: Iterable[Record], export: Export) -> Iterator[bytes]:
    """The document, in chunks. Secrets are left out unless the export shows them.

    Raises: ValueError: the format is unknown.
    """
    from cascan.formats.redact_record import redact_records  # noqa: PLC0415 - see above

    render = find_format(name).load()
    return render(records if export.shows_secrets else redact_records(records), export)
