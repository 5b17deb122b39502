"""The scan table of the template, on an emulator that runs for as long as a benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import read_template

TABLE = "scan-table"
STORAGE = Path(__file__).parents[1] / "infra" / "storage.yaml"
CREATED = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@contextmanager
def run_emulated_table() -> Iterator[DynamoScanTable]:
    """An empty scan table."""
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(StateDir(Path(folder)))
        try:
            emulator.wait_until_healthy()
            use_endpoint(emulator.endpoint)
            table = read_template(STORAGE)["Resources"]["ScanTable"]["Properties"]
            clients.dynamodb().create_table(TableName=TABLE, **{name: table[name] for name in CREATED})
            yield DynamoScanTable(TABLE)
        finally:
            connection_pool.close_connections()
            emulator.stop()
