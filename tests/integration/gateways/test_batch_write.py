"""Items stored by the thousand over kept connections: what is signed, sent, tried again, given up."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws import boundary, clients
from cascan.aws.boundary import FIRST_PAUSE_S
from cascan.aws.dynamodb.answer import MAX_ANSWER_BYTES
from cascan.aws.dynamodb.batch_write import MAX_BATCH_BYTES, put_all
from cascan.aws.dynamodb.connection import MAX_IDLE_S
from cascan.aws.dynamodb.connection_pool import (
    FOR_SINGLE_CALLS,
    LONGEST_PAUSE_S,
    MAX_CONNECTIONS,
    MAX_THROTTLED_TRIES,
    call,
)
from cascan.aws.dynamodb.wire import Item
from cascan.errors import GatewayUnavailable
from tests.integration.gateways.conftest import REGION, TABLE
from tests.integration.gateways.table_server import Asked, TableServer, Told, serving
from tests.support.moto_table import forget_clients

THROTTLED = {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TableServer]:
    """A table server that the process's clients talk to; the pauses between tries are not waited for."""
    with serving() as table:
        monkeypatch.setenv("AWS_ENDPOINT_URL", table.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.setattr(boundary, "sleep", lambda _: None)
        forget_clients()
        yield table
        forget_clients()


def items(count: int, first: int = 0, **more: Any) -> Iterator[Item]:
    for number in range(first, first + count):
        yield {"pk": {"S": "scan/1"}, "sk": {"S": f"{number:06d}"}, "body": {"S": 'a "quoted" ünkind\x00 text'}} | more


def stored(server: TableServer) -> int:
    return len(server.items)


class TestWhatIsSent:
    def test_every_item_arrives_unchanged_in_batches_that_the_service_accepts(self, server: TableServer) -> None:
        put_all(TABLE, items(130))
        assert server.items == {("scan/1", item["sk"]["S"]): item for item in items(130)}
        assert sorted(len(asked.puts) for asked in server.asked) == [5, 25, 25, 25, 25, 25]

    def test_binary_values_are_base64_as_the_service_reads_them(self, server: TableServer) -> None:
        put_all(TABLE, items(1, body={"B": b"\x00\xffpacked"}))
        assert server.asked[0].puts[0]["body"] == {"B": "AP9wYWNrZWQ="}

    def test_batches_of_large_items_stay_below_a_number_of_bytes(self, server: TableServer) -> None:
        put_all(TABLE, items(20, body={"S": "x" * 300_000}))
        assert stored(server) == 20
        assert max(len(asked.body) for asked in server.asked) <= MAX_BATCH_BYTES + 100

    def test_an_empty_list_of_items_makes_no_call(self, server: TableServer) -> None:
        put_all(TABLE, [])
        assert server.asked == []

    def test_the_signature_is_the_one_that_the_service_computes(self, server: TableServer) -> None:
        put_all(TABLE, items(3))
        (asked,) = server.asked
        assert asked.headers["X-Amz-Target"] == "DynamoDB_20120810.BatchWriteItem"
        assert signature_in(asked) == signature_of(asked, "a secret")
        assert signature_in(asked) != signature_of(asked, "another")

    def test_credentials_that_were_renewed_sign_the_next_batch(
        self, server: TableServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secrets = iter(["first", "second"])

        class Renewing:
            def get_frozen_credentials(self) -> Frozen:
                return Frozen("AKIDEXAMPLE", next(secrets), "a session token")

        monkeypatch.setattr(clients.session(), "get_credentials", Renewing)
        put_all(TABLE, items(26))
        expected = {
            signature_of(asked, secret) for asked, secret in zip(by_size(server), ("first", "second"), strict=True)
        }
        assert {signature_in(asked) for asked in server.asked} == expected
        assert all(asked.headers["X-Amz-Security-Token"] == "a session token" for asked in server.asked)

    def test_without_credentials_nothing_is_sent(self, server: TableServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clients.session(), "get_credentials", lambda: None)
        with pytest.raises(GatewayUnavailable, match=r"scan table: .*credentials"):
            put_all(TABLE, items(1))
        assert server.asked == []


class TestSideBySide:
    def test_several_batches_are_on_their_way_at_once(self, server: TableServer) -> None:
        in_flight = MAX_CONNECTIONS - FOR_SINGLE_CALLS
        together = threading.Barrier(in_flight, timeout=60)
        server.tell = lambda _: (together.wait(), None)[1]
        put_all(TABLE, items(25 * in_flight))
        assert stored(server) == 25 * in_flight

    def test_the_table_may_be_read_while_batches_are_in_flight(self, server: TableServer) -> None:
        def reading() -> Iterator[Item]:
            for item in items(25 * (MAX_CONNECTIONS + 2)):
                call("Query", {"TableName": TABLE})
                yield item

        put_all(TABLE, reading())
        assert stored(server) == 25 * (MAX_CONNECTIONS + 2)

    def test_connections_are_kept_from_call_to_call(self, server: TableServer) -> None:
        for _ in range(5):
            put_all(TABLE, items(10))
        assert (len(server.asked), server.connections) == (5, 1)

    def test_a_connection_that_was_idle_for_long_is_opened_anew(
        self, server: TableServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_all(TABLE, items(10))
        now = time.time()
        monkeypatch.setattr("cascan.aws.dynamodb.connection.time.time", lambda: now + MAX_IDLE_S + 1)
        put_all(TABLE, items(10))
        assert (len(server.asked), server.connections) == (2, 2)

    def test_of_two_items_with_one_key_the_later_stays_also_from_another_batch(self, server: TableServer) -> None:
        first_is_slow, second_arrived = threading.Event(), threading.Event()

        def tell(asked: Asked) -> None:
            if asked.number == 0:
                first_is_slow.set()
                second_arrived.wait(0.2)  # a second batch sent meanwhile would be stored first
            elif first_is_slow.is_set():
                second_arrived.set()

        server.tell = tell
        put_all(TABLE, [*items(25, body={"S": "first"}), *items(1, body={"S": "second"}), *items(40, 100)])
        assert server.items["scan/1", "000000"]["body"] == {"S": "second"}
        assert stored(server) == 65

    def test_after_a_failure_no_answer_is_taken_for_another_call_s(self, server: TableServer) -> None:
        first, second = list(items(100)), list(items(100, 500))
        # by what is asked, not by number: a batch of the first call may arrive after it has failed
        server.tell = lambda asked: Told(400, {"__type": "x#ValidationException"}) if asked.puts[0] in first else None
        with pytest.raises(GatewayUnavailable, match="ValidationException"):
            put_all(TABLE, first)
        put_all(TABLE, second)
        assert set(server.items) == {("scan/1", item["sk"]["S"]) for item in second}

    def test_an_item_that_cannot_be_made_leaves_the_lines_usable(self, server: TableServer) -> None:
        def broken() -> Iterator[Item]:
            yield from items(60)
            raise ValueError("a report that ends badly")

        for _ in range(MAX_CONNECTIONS + 1):
            with pytest.raises(ValueError, match="ends badly"):
                put_all(TABLE, broken())
        put_all(TABLE, items(300, 1000))
        assert {("scan/1", item["sk"]["S"]) for item in items(300, 1000)} <= set(server.items)


class TestAnotherTry:
    def test_only_unprocessed_items_are_sent_again(self, server: TableServer) -> None:
        def tell(asked: Asked) -> Told | None:
            left = [{"PutRequest": {"Item": item}} for item in asked.puts[:2]]
            return Told(answer={"UnprocessedItems": {TABLE: left}}) if asked.number == 0 else None

        server.tell = tell
        put_all(TABLE, items(30))
        assert stored(server) == 30
        assert sorted(len(asked.puts) for asked in server.asked) == [2, 5, 25]

    def test_what_stays_unprocessed_is_an_error_that_counts_it(
        self, server: TableServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(boundary, "sleep", pauses.append)

        def tell(asked: Asked) -> Told:
            return Told(answer={"UnprocessedItems": {TABLE: [{"PutRequest": {"Item": i}} for i in asked.puts[-2:]]}})

        server.tell = tell
        with pytest.raises(GatewayUnavailable, match="scan table: 2 of 3 items were left unprocessed"):
            put_all(TABLE, items(3))
        assert (len(server.asked), len(pauses)) == (MAX_THROTTLED_TRIES, MAX_THROTTLED_TRIES - 1)
        assert all(0 <= s <= min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**n) for n, s in enumerate(pauses))

    def test_a_throttled_batch_waits_and_is_stored(self, server: TableServer) -> None:
        server.tell = lambda asked: Told(400, dict(THROTTLED)) if asked.number < 9 else None
        put_all(TABLE, items(25))
        assert (stored(server), len(server.asked)) == (25, 10)

    def test_a_table_that_throttles_for_ever_is_an_error(self, server: TableServer) -> None:
        server.tell = lambda _: Told(400, dict(THROTTLED))
        with pytest.raises(GatewayUnavailable, match="25 of 25 items were left unprocessed") as caught:
            put_all(TABLE, items(25))
        assert isinstance(caught.value.__cause__, ClientError)
        assert len(server.asked) == MAX_THROTTLED_TRIES

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            (Told(500, {"__type": "x#InternalServerError"}), "InternalServerError"),
            (Told(503, b"<html>busy</html>"), "without JSON"),
            (Told(200, b"", stores=False, hangs_up=True), "closed connection"),
        ],
        ids=["an error of the service", "an answer that is no JSON", "a connection that breaks"],
    )
    def test_a_fault_is_tried_again_a_few_times(self, server: TableServer, told: Told, why: str) -> None:
        server.tell = lambda asked: told if asked.number < clients.MAX_ATTEMPTS - 1 else None
        put_all(TABLE, items(25))
        assert stored(server) == 25
        server.tell = lambda _: told
        with pytest.raises(GatewayUnavailable, match=why):
            put_all(TABLE, items(25))
        assert len(server.asked) == 2 * clients.MAX_ATTEMPTS

    def test_what_can_never_succeed_is_not_tried_again(self, server: TableServer) -> None:
        server.tell = lambda _: Told(400, {"__type": "x#AccessDeniedException", "Message": "not you"})
        with pytest.raises(GatewayUnavailable, match=r"AccessDeniedException.*not you"):
            put_all(TABLE, items(25))
        assert len(server.asked) == 1

    def test_an_unreachable_service_is_an_error(self, server: TableServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        forget_clients()
        with pytest.raises(GatewayUnavailable, match=r"scan table: .*refused") as caught:
            put_all(TABLE, items(1))
        assert isinstance(caught.value.__cause__, HTTPClientError)


class TestOneCall:
    def test_an_answer_arrives_on_a_connection_that_was_kept_open(self, server: TableServer) -> None:
        server.tell = lambda _: Told(answer={"Items": [], "Count": 0})
        assert [call("Query", {"TableName": TABLE}) for _ in range(3)] == 3 * [{"Items": [], "Count": 0}]
        assert (json.loads(server.asked[0].body), server.connections) == ({"TableName": TABLE}, 1)
        assert server.asked[0].headers["X-Amz-Target"] == "DynamoDB_20120810.Query"

    def test_throttling_is_waited_out_and_bounded(self, server: TableServer) -> None:
        server.tell = lambda asked: Told(400, dict(THROTTLED)) if asked.number < MAX_THROTTLED_TRIES - 1 else None
        assert call("Query", {}) == {}
        server.tell = lambda _: Told(400, dict(THROTTLED))
        with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
            call("Query", {})
        assert len(server.asked) == 2 * MAX_THROTTLED_TRIES

    def test_a_transaction_whose_earlier_try_is_at_work_is_sent_again_unchanged(self, server: TableServer) -> None:
        in_progress = Told(400, {"__type": "x#TransactionInProgressException", "message": "wait"})
        server.tell = lambda asked: in_progress if asked.number < clients.MAX_ATTEMPTS + 1 else None
        assert call("TransactWriteItems", {"ClientRequestToken": "1"}) == {}
        assert len(server.asked) == clients.MAX_ATTEMPTS + 2
        assert len({asked.body for asked in server.asked}) == 1

    def test_a_call_survives_a_broken_connection(self, server: TableServer) -> None:
        breaking = Told(hangs_up=True)
        server.tell = lambda asked: breaking if asked.number < clients.MAX_ATTEMPTS - 1 else None
        assert call("TransactWriteItems", {"ClientRequestToken": "1"}) == {}
        assert len({asked.body for asked in server.asked}) == 1
        server.tell = lambda _: breaking
        with pytest.raises(HTTPClientError):
            call("Query", {})
        assert len(server.asked) == 2 * clients.MAX_ATTEMPTS

    def test_the_reasons_of_a_cancelled_transaction_are_returned(self, server: TableServer) -> None:
        reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"pk": {"S": "a"}}}]
        cancelled = {"__type": "x#TransactionCanceledException", "Message": "no", "CancellationReasons": reasons}
        server.tell = lambda _: Told(400, cancelled)
        with pytest.raises(ClientError) as caught:
            call("TransactWriteItems", {})
        assert caught.value.response["CancellationReasons"] == reasons
        assert len(server.asked) == 1

    def test_a_redirect_is_not_followed(self, server: TableServer) -> None:
        server.tell = lambda _: Told(307, {"__type": "x#Moved"}, headers={"Location": f"{server.url}/elsewhere"})
        with pytest.raises(ClientError, match="Moved"):
            call("Query", {})
        assert len(server.asked) == 1

    def test_an_answer_longer_than_the_limit_is_not_read(
        self, server: TableServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cascan.aws.dynamodb.connection.MAX_ANSWER_BYTES", 10)
        server.tell = lambda _: Told(answer={"Items": [], "Count": 0})
        with pytest.raises(HTTPClientError, match="an answer of 25 bytes: over 10"):
            call("Query", {})

    def test_a_service_that_does_not_answer_in_time_is_a_fault(
        self, server: TableServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cascan.aws.dynamodb.connection.TIMEOUT_S", 0.05)
        forget_clients()
        tested = threading.Event()
        server.tell = lambda _: (tested.wait(60), None)[1]
        with pytest.raises(HTTPClientError, match="timed out"):
            call("Query", {})
        tested.set()
        assert len(server.asked) == clients.MAX_ATTEMPTS

    def test_an_answer_without_a_length_is_a_fault(self, server: TableServer) -> None:
        server.tell = lambda _: Told(length=False)
        with pytest.raises(HTTPClientError, match="no length"):
            call("Query", {})


class TestProxies:
    """A call of an HTTPS endpoint, through a proxy of the environment that ends the tunnel at once."""

    ENDPOINT = "https://dynamodb.test"

    @pytest.fixture
    def proxy(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
        with Proxy() as proxy:
            for name in ("NO_PROXY", "no_proxy", "https_proxy"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
            monkeypatch.setenv("AWS_ENDPOINT_URL", self.ENDPOINT)
            forget_clients()
            yield proxy

    def test_a_tunnel_is_asked_of_the_proxy_with_its_password(self, server: TableServer, proxy: Proxy) -> None:
        with pytest.raises(HTTPClientError):
            call("Query", {})
        assert proxy.heads[0].startswith("CONNECT dynamodb.test:443 ")
        assert f"Proxy-Authorization: Basic {b64encode(b'me:p@ss').decode()}\n" in proxy.heads[0]

    def test_a_host_in_no_proxy_is_reached_without_it(
        self, server: TableServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
        forget_clients()
        with pytest.raises(HTTPClientError, match="refused"):
            call("Query", {})
        assert proxy.heads == []


class Proxy(ThreadingHTTPServer):
    """Opens every tunnel and ends it, and keeps the heads of the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EndTunnel)
        self.port = self.server_address[1]
        self.heads: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *error: Any) -> None:
        self.shutdown()
        super().__exit__(*error)


class EndTunnel(BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        cast("Proxy", self.server).heads.append(f"{self.requestline}\r\n{self.headers.as_string()}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class TestDamagedAnswers:
    BODY = b'{"Count":1,"Items":[]}'

    def told(self, content: bytes, *, checked: bytes, **headers: str) -> Told:
        """An answer of this content, with the checksum of `checked`."""
        return Told(
            answer=content, headers={"x-amz-crc32": str(zlib.crc32(checked)), "x-amzn-RequestId": "R1"} | headers
        )

    def test_an_answer_that_fits_its_checksum_is_read(self, server: TableServer) -> None:
        server.tell = lambda _: self.told(self.BODY, checked=self.BODY)
        assert call("Query", {}) == {"Count": 1, "Items": []}

    def test_a_call_with_a_damaged_answer_is_repeated(self, server: TableServer) -> None:
        damaged = self.BODY.replace(b"1", b"2")
        server.tell = lambda asked: self.told(damaged if asked.number == 0 else self.BODY, checked=self.BODY)
        assert call("Query", {}) == {"Count": 1, "Items": []}
        assert len(server.asked) == 2

    def test_answers_that_stay_damaged_are_an_error_that_names_the_request(self, server: TableServer) -> None:
        server.tell = lambda _: self.told(self.BODY.replace(b"1", b"2"), checked=self.BODY)
        with pytest.raises(HTTPClientError, match=r"CRC-32 is not x-amz-crc32.*request R1"):
            call("Query", {})
        assert len(server.asked) == clients.MAX_ATTEMPTS

    def test_the_checksum_of_a_compressed_answer_is_that_of_the_compressed_bytes(self, server: TableServer) -> None:
        packed = gzip.compress(self.BODY)
        server.tell = lambda _: self.told(packed, checked=packed, **{"Content-Encoding": "gzip"})
        assert call("Query", {}) == {"Count": 1, "Items": []}

    @pytest.mark.parametrize(
        "packed",
        [gzip.compress(BODY)[:-6], b"no gzip", gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))],
        ids=["cut off", "no gzip", "too long"],
    )
    def test_a_compressed_answer_that_cannot_be_unpacked_is_an_error(self, server: TableServer, packed: bytes) -> None:
        server.tell = lambda _: self.told(packed, checked=packed, **{"Content-Encoding": "gzip"})
        with pytest.raises(HTTPClientError, match=r"gzip|header"):
            call("Query", {})

    @pytest.mark.parametrize("checksum", [{}, {"x-amz-crc32": "-"}], ids=["no header", "no number"])
    def test_an_answer_without_a_checksum_is_read(self, server: TableServer, checksum: dict[str, str]) -> None:
        server.tell = lambda _: Told(answer=self.BODY, headers=checksum)
        assert call("Query", {}) == {"Count": 1, "Items": []}

    def test_an_error_of_the_service_names_the_request(self, server: TableServer) -> None:
        denied = Told(400, {"__type": "x#AccessDeniedException"}, headers={"x-amzn-RequestId": "R2"})
        server.tell = lambda _: denied
        with pytest.raises(GatewayUnavailable, match=r"AccessDeniedException.*\(request R2\)") as caught:
            put_all(TABLE, items(1))
        assert isinstance(caught.value.__cause__, ClientError)
        assert caught.value.__cause__.response["ResponseMetadata"]["RequestId"] == "R2"


def by_size(server: TableServer) -> list[Asked]:
    """The requests, the largest first: they may arrive in any order."""
    return sorted(server.asked, key=lambda asked: -len(asked.puts))


class Frozen(NamedTuple):
    access_key: str
    secret_key: str
    token: str


def signature_in(asked: Asked) -> str:
    return asked.headers["Authorization"].rpartition("Signature=")[2]


def signature_of(asked: Asked, secret: str) -> str:
    """The signature by hand. Source: AWS General Reference, signature version 4."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    scope, _, rest = headers["authorization"].partition("Credential=AKIDEXAMPLE/")[2].partition(", SignedHeaders=")
    signed = rest.partition(",")[0]
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed.split(";"))
    canonical = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(asked.body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
