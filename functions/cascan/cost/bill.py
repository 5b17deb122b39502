"""The lines of a scan's bill: what each service is asked to do, and its price."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cascan.cost.prices import Prices
from cascan.cost.ranges import Range, exactly
from cascan.cost.stack_shape import StackShape
from cascan.model.shard import Lane

WORKER_START_S = Range(30, 90)  # a task is paid from the moment that its image is pulled
LAMBDA_START_S = Range(1, 5)
FREE_STORAGE_GB = 20  # of a Fargate task
PACKET_BYTES = Range(40, 60)  # of a probe, as it is billed
FINDING_BYTES = Range(300, 2_000)  # in the table, with what inventory and history keep
REPORT_BYTES = Range(600, 4_000)  # in the bucket, for one finding
HEARTBEAT_S = 15.0  # a worker extends its message and writes to the table
SECONDS_PER_HOUR = 3_600
INTERNET_TRAFFIC, ZONE_TRAFFIC = TRAFFIC_ITEMS = ("traffic to the Internet", "traffic between zones")
GB = 1_000_000_000


class CostItem(msgspec.Struct, frozen=True):
    """One line of a bill."""

    item: str
    quantity: Range
    unit: str
    usd: Range


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan does, in the units that are paid for."""

    seconds: Range  # of nmap, repeated work included
    workers: Range
    findings: Range
    packets: Range
    heartbeats: Range
    shards: int
    public_share: float  # of the addresses


def find_dearest_second(prices: Prices, shape: StackShape) -> float:
    """US dollars for a second of the dearest worker: Lambda, or Fargate on demand with a public address."""
    hour = (
        prices.fargate_vcpu_hour * shape.vcpu
        + prices.fargate_gb_hour * shape.memory_gb
        + prices.fargate_storage_gb_hour * max(0, shape.storage_gb - FREE_STORAGE_GB)
        + prices.public_ipv4_hour
    )
    return max(prices.lambda_gb_second * shape.express_memory_gb, hour / SECONDS_PER_HOUR)


def list_items(lane: Lane, work: Work, prices: Prices, shape: StackShape) -> Iterator[CostItem]:
    if lane is Lane.EXPRESS:
        gb_s = (work.seconds + LAMBDA_START_S).scale(shape.express_memory_gb)
        yield _price("Lambda that runs nmap", gb_s, "GB-s", prices.lambda_gb_second)
    else:
        yield from _list_fargate_items(work, prices, shape)
    yield from list_function_items(work, prices)
    yield from list_request_items(work, prices)
    table_gb, bucket_gb = (work.findings * FINDING_BYTES).scale(1 / GB), (work.findings * REPORT_BYTES).scale(1 / GB)
    yield _price("DynamoDB, for a month", table_gb, "GB", prices.dynamodb_gb_month)
    yield _price("S3, for a month", bucket_gb, "GB", prices.s3_gb_month)
    yield from _list_traffic_items(work, prices)


def list_function_items(work: Work, prices: Prices) -> Iterator[CostItem]:
    """The functions that plan and record."""
    shards, findings = exactly(work.shards), work.findings
    function_gb_s = Range(1, 10) + shards * Range(1, 10) + findings * Range(0.001, 0.02)
    yield _price("Lambda that plans and records", function_gb_s, "GB-s", prices.lambda_gb_second)
    yield _price("Lambda", Range(4, 20) + shards * Range(2, 8), "requests", prices.lambda_request)


def list_request_items(work: Work, prices: Prices) -> Iterator[CostItem]:
    """What queues, table, bucket, bus and logs are asked to do."""
    shards, findings = exactly(work.shards), work.findings
    yield _price("SQS", Range(3, 20) + shards * Range(6, 20) + work.heartbeats, "requests", prices.sqs_request)
    writes = Range(10, 60) + shards * Range(10, 80) + work.heartbeats * Range(1, 8) + findings * Range(0.4, 6)
    yield _price("DynamoDB", writes, "writes", prices.dynamodb_write)
    reads = Range(10, 100) + shards * Range(10, 80) + work.heartbeats * Range(1, 4) + findings * Range(0.5, 8)
    yield _price("DynamoDB", reads, "reads", prices.dynamodb_read)
    yield _price("S3", Range(3, 10) + shards * Range(2, 10), "writes", prices.s3_put)
    yield _price("S3", Range(1, 10) + shards * Range(1, 20), "reads", prices.s3_get)
    events = Range(2, 10) + shards * Range(0, 2) + findings * Range(0, 1)
    yield _price("EventBridge", events, "events", prices.eventbridge_event)
    logs_gb = (Range(5_000, 50_000) + shards * Range(5_000, 50_000)).scale(1 / GB)
    yield _price("CloudWatch logs", logs_gb, "GB", prices.logs_gb)


def _list_fargate_items(work: Work, prices: Prices, shape: StackShape) -> Iterator[CostItem]:
    """The high end is that of workers on demand, also with Spot: where Spot has no room they start on demand."""
    idle_s = WORKER_START_S + exactly(shape.idle_exit_s)
    shard_s = Range(work.seconds.low / shape.worker_slots, work.seconds.high)
    hours = (shard_s + work.workers * idle_s).scale(1 / SECONDS_PER_HOUR)
    vcpu_usd = Range(
        prices.fargate_spot_vcpu_hour if shape.spot else prices.fargate_vcpu_hour, prices.fargate_vcpu_hour
    )
    memory_usd = Range(prices.fargate_spot_gb_hour if shape.spot else prices.fargate_gb_hour, prices.fargate_gb_hour)
    kind = "Fargate Spot" if shape.spot else "Fargate"
    yield _price_range(f"{kind}, processors", hours.scale(shape.vcpu), "vCPU-h", vcpu_usd)
    yield _price_range(f"{kind}, memory", hours.scale(shape.memory_gb), "GB-h", memory_usd)
    if shape.storage_gb > FREE_STORAGE_GB:
        storage = hours.scale(shape.storage_gb - FREE_STORAGE_GB)
        yield _price("Fargate, storage", storage, "GB-h", prices.fargate_storage_gb_hour)
    if shape.public_ip:
        yield _price("public addresses", hours, "h", prices.public_ipv4_hour)


def _list_traffic_items(work: Work, prices: Prices) -> Iterator[CostItem]:
    sent_gb = (work.packets * PACKET_BYTES).scale(1 / GB)
    to_internet = sent_gb.scale(work.public_share)
    if work.public_share:
        yield _price(INTERNET_TRAFFIC, to_internet, "GB", prices.internet_gb)
    if work.public_share < 1:
        inside_gb = sent_gb.scale(1 - work.public_share)
        yield _price_range(ZONE_TRAFFIC, inside_gb, "GB", Range(0, prices.zone_gb))


def _price(item: str, quantity: Range, unit: str, usd: float) -> CostItem:
    return CostItem(item, quantity, unit, quantity.scale(usd))


def _price_range(item: str, quantity: Range, unit: str, usd: Range) -> CostItem:
    return CostItem(item, quantity, unit, quantity * usd)
