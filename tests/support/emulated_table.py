"""The emulator's table in this process: what it answers is what a local stack would answer."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cascan_cli.local.template import read_template

STORAGE = Path(__file__).parents[2] / "infra" / "storage.yaml"
KEPT = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


class EmulatedTable:
    """A table as infra/storage.yaml has it, in an emulator without others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._module: Any = importlib.import_module("ministack.services.dynamodb")
        self.tables = type(self._module._tables)()
        self.create(name)

    def create(self, name: str) -> None:
        properties = read_template(STORAGE)["Resources"]["ScanTable"]["Properties"]
        self.call("CreateTable", {"TableName": name} | {key: properties[key] for key in KEPT})

    def put(self, items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            self.call("PutItem", {"TableName": self.name, "Item": item})

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self._module._tables = self.tables
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
        handled = self._module.handle_request("POST", "/", headers, json.dumps(request).encode(), {})
        status, _, body = asyncio.run(handled)
        assert status == 200, (operation, request, body)
        answer: dict[str, Any] = json.loads(body)
        return answer
