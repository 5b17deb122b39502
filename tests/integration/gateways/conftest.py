"""The gateways twice: the fakes, and the real ones on moto, in process. A contract test takes `table`, `reports` … and
runs on both; a test of what only AWS does takes `dynamo_table`, `bucket` … and runs on moto alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import pytest
from moto import mock_aws

from cascan.aws import boundary, clients
from cascan.aws.dynamodb import connection_pool, pipeline
from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.fleet import EcsFleet
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.events import BUS_EVENTS, SOURCE, BusEvent
from cascan.gateways import EventBus, Fleet, ReportStore, ScanTable, ShardQueues
from cascan.model.shard import Lane
from cascan.model.vantage import Vantage
from tests.fakes import MemoryEventBus, MemoryFleet, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.moto_table import create_scan_table, forget_clients

REGION: Final = "eu-central-1"
TABLE, BUCKET, BUS, CLUSTER = "scan-table", "report-bucket", "scan-bus", "workers"
OWN_CALLS = {"query": "Query", "transact_write_items": "TransactWriteItems", "batch_get_item": "BatchGetItem"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, in seconds; none is waited for."""
    waited: list[float] = []
    monkeypatch.setattr(boundary, "sleep", waited.append)
    return waited


@pytest.fixture(scope="module")
def moto_clients() -> Iterator[None]:
    """Clients that only moto answers, shared by a module's tests: building one takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        forget_clients()
        yield
        forget_clients()


@pytest.fixture
def aws(moto_clients: None, pauses: list[float]) -> Iterator[None]:
    """An empty AWS account."""
    with mock_aws():
        yield


@pytest.fixture
def dynamo_table(aws: None) -> DynamoScanTable:
    """A table as infra/storage.yaml has it."""
    create_scan_table(TABLE)
    return DynamoScanTable(TABLE)


@pytest.fixture
def s3_store(aws: None) -> S3ReportStore:
    clients.s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3ReportStore(BUCKET)


@pytest.fixture
def sqs_queues(aws: None) -> SqsShardQueues:
    urls = {lane: clients.sqs().create_queue(QueueName=lane)["QueueUrl"] for lane in Lane}
    office = clients.sqs().create_queue(QueueName="office-raw")["QueueUrl"]
    vantages = {"office": Vantage(name="office", queues={Lane.RAW.value: office})}
    return SqsShardQueues(urls, vantages.get)


@pytest.fixture
def subnet_id(aws: None) -> str:
    """A subnet of the account's default VPC: moto gives each Fargate task an address there."""
    ec2: Any = cast("Any", clients.session()).client("ec2")
    return str(ec2.describe_subnets()["Subnets"][0]["SubnetId"])


@pytest.fixture
def ecs_fleet(subnet_id: str) -> EcsFleet:
    clients.ecs().create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"])
    return EcsFleet(
        CLUSTER,
        {lane: _task_definition(lane) for lane in (Lane.CONNECT, Lane.RAW)},
        subnets=[subnet_id],
        security_groups=["sg-1"],
        assign_public_ip=True,
    )


def _task_definition(lane: Lane) -> str:
    answer = clients.ecs().register_task_definition(
        family=f"cascan-{lane}",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="512",
        memory="1024",
        containerDefinitions=[{"name": "worker", "image": "worker", "cpu": 512, "memory": 1024}],
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


@dataclass(frozen=True)
class ObservedBus:
    """A bus, and what came out of it since the last call of `received`."""

    bus: EventBus
    received: Callable[[], list[BusEvent]]


@pytest.fixture
def eventbridge_bus(aws: None) -> ObservedBus:
    """A bus with one rule for our source and a queue behind it."""
    clients.events().create_event_bus(Name=BUS)
    clients.events().put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": [SOURCE]}))
    queue_url = clients.sqs().create_queue(QueueName="behind-the-rule")["QueueUrl"]
    queue = clients.sqs().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    clients.events().put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": queue["QueueArn"]}])
    return ObservedBus(EventBridgeBus(BUS), partial(_events_in, queue_url))


def _events_in(queue_url: str) -> list[BusEvent]:
    events = []
    while messages := clients.sqs().receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        events += [_event(json.loads(message["Body"])) for message in messages]
    return events


def _event(envelope: dict[str, Any]) -> BusEvent:
    kind = {kind.__name__: kind for kind in BUS_EVENTS}[envelope["detail-type"]]
    return kind.from_wire(json.dumps(envelope["detail"]))


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> ScanTable:
    return (
        MemoryScanTable() if request.param == "memory" else cast("ScanTable", request.getfixturevalue("dynamo_table"))
    )


@pytest.fixture(params=["memory", "s3"])
def reports(request: pytest.FixtureRequest) -> ReportStore:
    return (
        MemoryReportStore() if request.param == "memory" else cast("ReportStore", request.getfixturevalue("s3_store"))
    )


@pytest.fixture(params=["memory", "sqs"])
def queues(request: pytest.FixtureRequest) -> ShardQueues:
    is_memory = request.param == "memory"
    return MemoryShardQueues() if is_memory else cast("ShardQueues", request.getfixturevalue("sqs_queues"))


@pytest.fixture(params=["memory", "ecs"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    return MemoryFleet() if request.param == "memory" else cast("Fleet", request.getfixturevalue("ecs_fleet"))


@pytest.fixture(params=["memory", "eventbridge"])
def observed(request: pytest.FixtureRequest) -> ObservedBus:
    if request.param == "eventbridge":
        return cast("ObservedBus", request.getfixturevalue("eventbridge_bus"))
    bus = MemoryEventBus()
    return ObservedBus(bus, lambda: bus.events)


@pytest.fixture
def calls(dynamo_table: DynamoScanTable) -> Iterator[Counter[str]]:
    """The calls to DynamoDB from now on, by operation."""
    counts: Counter[str] = Counter()

    def count(event_name: str, **_: Any) -> None:
        counts[event_name.rpartition(".")[2]] += 1

    hooks: Any = clients.dynamodb().meta.events
    hooks.register_first("before-send.dynamodb", count)
    yield counts
    hooks.unregister("before-send.dynamodb", count)


Answer = Callable[[dict[str, Any]], Any] | Mapping[str, Any] | Exception
Script = Callable[[object, str, Iterable[Answer]], list[dict[str, Any]]]


def _asked(ask: Callable[[str, dict[str, Any]], Any], operation: str, **request: Any) -> Any:
    return ask(operation, request)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Puts answers before an operation of a client: each is given, called with the request, or raised; when they have
    run out, the operation itself answers. Gives the list of requests as they are made.
    """

    def put(client: object, operation: str, answers: Iterable[Answer]) -> list[dict[str, Any]]:
        own = OWN_CALLS.get(operation) if client is clients.dynamodb() else None
        whole = connection_pool.call
        original = partial(_asked, whole, own) if own else getattr(client, operation)
        scripted = iter(answers)
        requests: list[dict[str, Any]] = []

        def call(**request: Any) -> Any:
            requests.append(request)
            answer = next(scripted, None)
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                return original(**request)
            return answer(request) if callable(answer) else answer

        if own:
            monkeypatch.setattr(
                connection_pool, "call", lambda name, asked: call(**asked) if name == own else whole(name, asked)
            )
        else:
            monkeypatch.setattr(client, operation, call)
        if operation == "put_item" and client is clients.dynamodb():
            make_all = pipeline.write_each

            def write_each(writes: Iterable[Write]) -> list[bool]:
                return [_write(write) for write in writes]

            def _write(write: Write) -> bool:
                requests.append(write.request)
                answer = next(scripted, None)
                if isinstance(answer, Exception):
                    with boundary.translate_errors("scan table"):
                        raise answer
                return make_all([write])[0]

            monkeypatch.setattr(pipeline, "write_each", write_each)
        return requests

    return put
