"""The transport of DynamoDB's bulk calls, compared with a larger one and with the least: seconds of a function.

A report of 400 hosts is recorded into a table that answers every call after 0, 5 or 10 ms, as
DynamoDB does within a Region, and that has stored nothing before. The table is a process of its own
which only waits and answers. The same code records the report each time; only the class of the
connections differs:

    http.client  cascan/aws/dynamodb/connection.py, the project's: signed by botocore
    urllib3      botocore's HTTP session and signer; a call waits for its answer, so no two overlap
    bare socket  one write and one read of a socket, without signature or checks: the floor

Each transport runs in turn, ROUNDS times; the table shows the best of them. Seconds are those that
a function runs, and is billed for; CPU is that of its process.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from multiprocessing.connection import Connection as Pipe
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session

from benchmarks.generated_reports import generate_report
from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool
from cascan.aws.dynamodb.connection import Connection
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.shard import Lane, NmapRun, Shard, TargetSlice
from cascan.permissions.scope import Scope
from on_report_stored.record_report import record_report
from on_report_stored.scope_filter import ScopeFilter

HOSTS = 400
ROUNDS = 3
DELAYS_MS = (0, 5, 10)
SHAPES = ("alike", "mixed")
AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ReportKey(derive_scan_id("benchmark"), 0, 1)
ANSWERS = {
    "BatchWriteItem": b'{"UnprocessedItems":{}}',
    "BatchGetItem": b'{"Responses":{},"UnprocessedKeys":{}}',
    "Query": b'{"Items":[],"Count":0,"ScannedCount":0}',
}


def main() -> None:
    for shape in SHAPES:
        report = b"".join(generate_report(HOSTS, shape))
        print(f"{HOSTS:,} hosts, {shape}: seconds of a function (CPU), best of {ROUNDS}")
        print(f"  {'a call takes':14}" + "".join(f"{name:>22}" for name in TRANSPORTS))
        for delay_ms in DELAYS_MS:
            with table_that_waits(delay_ms) as endpoint:
                compare(report, delay_ms, endpoint)


def compare(report: bytes, delay_ms: int, endpoint: str) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    clients.forget()
    best = dict.fromkeys(TRANSPORTS, (float("inf"), float("inf")))
    for _ in range(ROUNDS):
        for name, transport in TRANSPORTS.items():
            best[name] = min(best[name], record(report, transport))
    own_s = best["http.client"][0]
    cells = [f"{s:8.3f} ({cpu_s:.3f}) {s / own_s:4.2f}x" for s, cpu_s in best.values()]
    print(f"  {delay_ms:9} ms   " + "".join(f"{cell:>22}" for cell in cells))


def record(report: bytes, transport: Callable[..., Any]) -> tuple[float, float]:
    """Record the report on connections of this kind. Returns seconds, and seconds of CPU."""
    connection_pool.close_connections()
    connection_pool._thread.client = None  # noqa: SLF001 (so that connections of this kind are made)
    setattr(connection_pool, "Connection", transport)  # noqa: B010 (mypy would refuse another class)
    slices = (TargetSlice("10.0.0.0/8", 0, 2**24),)
    run = NmapRun(exit_code=0, addresses=HOSTS, started_at=AT, finished_at=AT)
    shard = Shard(scan_id=KEY.scan_id, number=0, lane=Lane.RAW, slices=slices, arguments=(), attempt=1, run=run)
    scope_filter = ScopeFilter(shard, Scope.of(["10.0.0.0/8"], []))
    table: Any = DynamoScanTable("scan-table")
    started, cpu = time.perf_counter(), time.process_time()
    reports: Any = _Reports(report)
    record_report(KEY, shard, AT, scope_filter=scope_filter, reports=reports, table=table)
    return time.perf_counter() - started, time.process_time() - cpu


class _Reports:
    """A bucket with one report."""

    def __init__(self, report: bytes) -> None:
        self._report = report

    def open_report(self, _key: ReportKey, start: int = 0) -> IO[bytes]:
        return BytesIO(self._report[start:])


class BareConnection:
    """The least that any transport does: one write and one read of a socket, unsigned, unchecked."""

    def __init__(self, client: Any) -> None:
        self._url = urlsplit(client.meta.endpoint_url)
        self._target = f"{client.meta.service_model.metadata['targetPrefix']}."
        self._socket: socket.socket | None = None

    def send(self, operation: str, body: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection((self._url.hostname or "", self._url.port or 80), timeout=5)
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._socket.sendall(BARE_HEAD % (self._target.encode() + operation.encode(), len(body)) + body)

    def answer(self) -> dict[str, Any]:
        assert self._socket  # noqa: S101 (for mypy)
        head, _, content = self._socket.recv(MAX_BARE_ANSWER).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")  # noqa: S101
        document: dict[str, Any] = msgspec.json.decode(content)
        return document

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None


class Urllib3Connection:
    """A call through the HTTP session that botocore itself uses."""

    _options: ClassVar[Any] = [(IPPROTO_TCP, TCP_NODELAY, 1)]  # the stubs have texts here
    _session = URLLib3Session(max_pool_connections=8, socket_options=_options)

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answer: dict[str, Any] = {}

    def send(self, operation: str, body: bytes) -> None:
        url = f"{self._client.meta.endpoint_url}/"
        request = AWSRequest("POST", url, sign(self._client, operation, body), body)
        response = self._session.send(request.prepare())
        self._answer = read_answer(operation, response.status_code, dict(response.headers), response.content)

    def answer(self) -> dict[str, Any]:
        return self._answer

    def close(self) -> None:
        self._answer = {}


def sign(client: Any, operation: str, body: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"{client.meta.service_model.metadata['targetPrefix']}.{operation}",
    }
    request = AWSRequest("POST", f"{client.meta.endpoint_url}/", headers, body)
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials.get_frozen_credentials(), "dynamodb", client.meta.region_name).add_auth(request)
    return dict(request.headers)


def read_answer(operation: str, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """Checks what the project's transport checks."""
    checksum = {name.lower(): value for name, value in headers.items()}.get("x-amz-crc32", "")
    if checksum and zlib.crc32(content) != int(checksum):
        raise HTTPClientError(error="checksum")
    document: dict[str, Any] = msgspec.json.decode(content or b"{}", type=dict[str, Any])
    if status != HTTPStatus.OK:
        raise ClientError({"Error": {"Code": str(status), "Message": ""}}, operation)
    return document


TRANSPORTS: Mapping[str, Callable[..., Any]] = {
    "http.client": Connection,
    "urllib3": Urllib3Connection,
    "bare socket": BareConnection,
}


@contextmanager
def table_that_waits(delay_ms: int) -> Iterator[str]:
    """The endpoint of a server that answers each call after `delay_ms`."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, delay_ms / 1000), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.terminate()
        server.join()


def serve(pipe: Pipe, delay_s: float) -> None:
    asyncio.run(_serve(pipe, delay_s))


async def _serve(pipe: Pipe, delay_s: float) -> None:
    async def answer_calls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
                await reader.readexactly(int(headers["content-length"]))
                if delay_s:
                    await asyncio.sleep(delay_s)
                body = BY_TARGET.get(headers["x-amz-target"].rpartition(".")[2], b"{}")
                length, checksum = len(body), zlib.crc32(body)
                writer.write(HEAD % (length, checksum) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer_calls, "127.0.0.1", 0, limit=2**20)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


BY_TARGET = {operation.lower(): answer for operation, answer in ANSWERS.items()}
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
    b"x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\nx-amz-crc32: %d\r\n\r\n"
)
MAX_BARE_ANSWER = 64 * 1024
BARE_HEAD = b"POST / HTTP/1.1\r\nHost: table\r\nX-Amz-Target: %s\r\nContent-Length: %d\r\n\r\n"

if __name__ == "__main__":
    main()
