"""`--as parquet`: records of findings, or the result of a query, as a Parquet file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput
from cascan_cli.output.export_file import is_standard_output, write_document
from cascan_cli.output.text import print_message
from cascan_cli.query.database import MAX_TABLE_ROWS, open_database
from cascan_cli.query.rows import read_finding_rows
from cascan_cli.query.tables import FINDINGS

if TYPE_CHECKING:
    from cascan.formats.records import Record
    from cascan_cli.output.export_file import ExportProgress

PARQUET = "parquet"
CHUNK_BYTES = 1_000_000


def write_records_as_parquet(
    records: Iterable[Record], output: str, *, with_secrets: bool, progress: ExportProgress
) -> None:
    """Write the records with the columns of the table `findings`. Raises: BadInput: see check_output."""
    check_output(output)
    with open_database() as database:
        if not database.add(FINDINGS, read_finding_rows(records, with_secrets=with_secrets)):
            print_message(f"only the first {MAX_TABLE_ROWS:,} findings are written")
        write_parquet_file(database.write_parquet(FINDINGS.name), output, progress)


def write_parquet_file(path: Path, output: str, progress: ExportProgress | None = None) -> None:
    write_document(_read_chunks(path), output, progress)


def check_output(output: str) -> None:
    """Raises: BadInput: a terminal cannot show Parquet."""
    if is_standard_output(output) and sys.stdout.isatty():
        raise BadInput("--as parquet is not for a terminal: give -o FILE")


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
