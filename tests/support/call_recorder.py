"""Records what the calls of a piece of code need: of boto3's clients, and of the project's own DynamoDB transport.

Every thread of the process is recorded while the block lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cascan.aws.dynamodb.connection import Connection
from tests.support.aws_calls import ResourceNames, find_permissions, find_permissions_of_error
from tests.support.policies import Permission


@contextmanager
def record_permissions(names: ResourceNames) -> Iterator[dict[str, Permission]]:
    """What the calls in this block need, by its text. It is complete once the block has ended.

    Raises: UnknownCall, KeyError: a call, or what it is about, is not known. It is raised where the call is made, and
    again at the end of the block, in case the code has caught it.
    """
    recorded: dict[str, Permission] = {}
    errors: list[Exception] = []
    call_client, send_signed = BaseClient._make_api_call, Connection.send  # type: ignore[attr-defined]

    def record(permissions: Iterable[Permission]) -> None:
        try:
            recorded.update({str(permission): permission for permission in permissions})
        except Exception as exc:
            errors.append(exc)
            raise

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        record(find_permissions(service, operation, request, names))
        try:
            return call_client(client, operation, request)
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            record(find_permissions_of_error(service, operation, request, code, names))
            raise

    def send(connection: Connection, operation: str, body: bytes) -> None:
        record(find_permissions("dynamodb", operation, msgspec.json.decode(body), names))
        send_signed(connection, operation, body)

    with mock.patch.object(BaseClient, "_make_api_call", call), mock.patch.object(Connection, "send", send):
        yield recorded
    if errors:
        raise errors[0]
