"""The resources of a deployed stack that the functions touch, on moto: table, bucket and rules as the templates say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from cascan.aws import clients
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey
from cascan.model.scan import Scan
from cascan.model.shard import Shard
from cascan_cli.local.template import read_template
from tests.data.envelopes.build import Envelope
from tests.support.aws_calls import ResourceNames
from tests.support.builders import proven

REGION: Final = "eu-central-1"
TABLE, BUCKET, BUS, CLUSTER = "scan-table", "report-bucket", "scan-bus", "workers"
# Name → the queue of infra/messaging.yaml, or of another nested template. "heard" has our events, and no function may
# use it
QUEUES = {
    "requests": "RequestQueue",
    "abandoned": "RequestDLQ",
    "express": "ExpressShardQueue",
    "connect": "ConnectShardQueue",
    "raw": "RawShardQueue",
    "dead": "ExpressShardDLQ",
    "returned": "ReturnedShardQueue",
    "connect-dead": "ConnectShardDLQ",
    "raw-dead": "RawShardDLQ",
    "parked": "ParkedShards",
    "reports": "ReportQueue",
    "completions": "CompletionQueue",
    "exposures": "ExposureQueue",
    "messages": "MessageQueue",
    "controls": "ControlQueue",
    "schedules": "ScheduleQueue",
    "vuls": "VulsQueue",
    "imports": "HubImports/ImportQueue",
    "imports-dead": "HubImports/ImportDLQ",
    "heard": "",
}
HUB_PRODUCT = f"arn:aws:securityhub:{REGION}:123456789012:product/123456789012/default"
RETURNED_ARN = f"arn:aws:sqs:{REGION}:123456789012:returned"
ECS_ARN = "arn:AWS::Partition:ecs:AWS::Region:AWS::AccountId"
HUB_PRODUCT_ARN = "arn:AWS::Partition:securityhub:AWS::Region:AWS::AccountId:product/AWS::AccountId/default"
RECORDS: Final = "scans/"
INFRA = Path(__file__).parents[3] / "infra"
TEMPLATES = {name: read_template(INFRA / f"{name}.yaml")["Resources"] for name in ("storage", "messaging")}
RULES = {  # name: (bus, pattern, the queue behind it)
    "stored": ("default", TEMPLATES["messaging"]["ReportStoredRule"]["Properties"]["EventPattern"], "reports"),
    "completed": (BUS, TEMPLATES["messaging"]["ScanCompletedRule"]["Properties"]["EventPattern"], "completions"),
    "exposures": (BUS, TEMPLATES["messaging"]["ExposuresRule"]["Properties"]["EventPattern"], "exposures"),
    "all": (BUS, {"source": ["cascan"]}, "heard"),
}


@dataclass(frozen=True)
class Stack:
    """What a test arranges with, and looks at afterwards."""

    queue_urls: dict[str, str]
    table: DynamoScanTable

    def environment(self) -> dict[str, str]:
        """The variables of every function, as template.yaml names them."""
        return {
            "SCAN_TABLE": TABLE,
            "REPORT_BUCKET": BUCKET,
            "SCAN_BUS": BUS,
            "REPORT_QUEUE_URL": self.queue_urls["reports"],
            "EXPRESS_SHARD_QUEUE_URL": self.queue_urls["express"],
            "CONNECT_SHARD_QUEUE_URL": self.queue_urls["connect"],
            "RAW_SHARD_QUEUE_URL": self.queue_urls["raw"],
            "RETURNED_SHARD_QUEUE_URL": self.queue_urls["returned"],
            "RETURNED_SHARD_QUEUE_ARN": RETURNED_ARN,
            "PARKED_SHARDS_URL": self.queue_urls["parked"],
            "ALLOWED_TARGETS": "127.0.0.1, 10.0.0.0/16",
            "DENIED_TARGETS": "10.0.9.0/24",
            "POLICY_PROFILE": "safe",
            "EXPRESS_REACHES": "private",
            "RAW_SCANS": "enabled",
            "REQUEST_DLQ_ARN": _arn(self.queue_urls["abandoned"]),
            "REQUEST_QUEUE_URL": self.queue_urls["requests"],
            "CONTROL_QUEUE_URL": self.queue_urls["controls"],
            "SCHEDULE_QUEUE_URL": self.queue_urls["schedules"],
            "EXPOSURE_QUEUE_URL": self.queue_urls["exposures"],
            "MESSAGE_QUEUE_URL": self.queue_urls["messages"],
            "IMPORT_QUEUE_URL": self.queue_urls["imports"],
            "IMPORT_DLQ_URL": self.queue_urls["imports-dead"],
            "HUB_PRODUCT_ARN": HUB_PRODUCT,
            "MINIMUM_SEVERITY": "LOW",
            "SCAN_TYPE_NMAP": "layer:1 0.1.0 safe",
            "SCAN_TYPE_NMAP_PRIVILEGED": "0.1.0 safe",
            "CASCADING_RULES": "disabled",
            "CASCADE_MAX_SCANS": "1000",
            "CASCADE_MAX_PROBES": "10000000",
            "CASCADE_MAX_COST_USD": "10",
            "WORKER_EGRESS": "",
            "WORKER_NETWORK": "machine",
            "WORKER_IPV6": "disabled",
            "SHARDS_PER_SCAN": "40",
            "DEFAULT_BACKOFF_LIMIT": "3",
            "DEFAULT_TTL_SECONDS": "-1",
            "HISTORY_RETENTION_DAYS": "0",
            "NMAP_COMMAND": "/usr/bin/nmap",
            "CLUSTER": CLUSTER,
            "CONNECT_TASK": "cascan-connect:1",
            "RAW_TASK": "cascan-raw:1",
            "SUBNETS": "subnet-1",
            "SECURITY_GROUPS": "sg-1",
            "PUBLIC_IP": "ENABLED",
            "SPOT": "enabled",
            "MAX_WORKERS": "20",
            "SHARDS_PER_WORKER": "4",
            "WORKER_SLOTS": "1",
            "MAX_SCAN_COST_USD": "0",
            "WORKER_CPU": "512",
            "WORKER_MEMORY": "1024",
            "WORKER_STORAGE": "21",
        }

    def resource_names(self, bucket: str = BUCKET) -> ResourceNames:
        """Its resources as the policies of the templates have them; `bucket` is the name that functions have."""
        addresses = {name: queue if "/" in queue else f"Messaging/{queue}" for name, queue in QUEUES.items() if queue}
        queues = {url: f"{addresses[name]}.Arn" for name, url in self.queue_urls.items() if name in addresses}
        families = {"cascan-connect": "Connect", "cascan-raw": "Raw"}
        return ResourceNames(
            tables={TABLE: "Storage/ScanTable.Arn"},
            buckets={bucket: "Storage/ReportBucket.Arn"},
            queues=queues,
            buses={BUS: "Messaging/ScanBus.Arn"},
            clusters={CLUSTER: "Workers/Cluster.Arn"},
            task_definitions={
                family: f"{ECS_ARN}:task-definition/AWS::StackName-{lane.lower()}" for family, lane in families.items()
            },
            task_roles={
                family: ("Workers/LaunchRole.Arn", f"Workers/{lane}WorkerRole.Arn") for family, lane in families.items()
            },
            tasks=f"{ECS_ARN}:task/Workers/Cluster/",
            hub_products={HUB_PRODUCT: HUB_PRODUCT_ARN},
        )

    def store(self, scan: Scan, *shards: Shard) -> None:
        self.table.create_scan(scan)
        self.table.add_shards(shards)

    def scan(self, scan_id: str) -> Scan:
        scan = self.table.get_scan(scan_id)
        assert scan is not None, f"there is no scan {scan_id}"
        return scan

    def shard(self, scan_id: str, number: int = 0) -> Shard:
        shard = self.table.get_shard(scan_id, number)
        assert shard is not None, f"scan {scan_id} has no shard {number}"
        return shard

    def put_report(self, key: ReportKey | str, data: bytes) -> None:
        metadata = proven(key) if isinstance(key, ReportKey) else {}
        clients.s3().put_object(Bucket=BUCKET, Key=str(key), Body=data, Metadata=metadata)

    def read(self, key: ReportKey | str) -> bytes:
        return clients.s3().get_object(Bucket=BUCKET, Key=str(key))["Body"].read()

    def keys(self) -> list[str]:
        """Every report and result in the bucket, once for each of its versions."""
        return [key for key in self._every_key() if not key.startswith(RECORDS)]

    def records(self) -> list[str]:
        """What a rebuild needs, once for each version."""
        return [key for key in self._every_key() if key.startswith(RECORDS)]

    def _every_key(self) -> list[str]:
        answer = clients.s3().list_object_versions(Bucket=BUCKET)
        return sorted(version["Key"] for version in answer.get("Versions", []))

    def items(self) -> list[str]:
        """The table's every item, as text."""
        items = clients.dynamodb().scan(TableName=TABLE, ConsistentRead=True)["Items"]
        return sorted(json.dumps(item, sort_keys=True, default=repr) for item in items)

    def received(self, queue: str) -> list[Envelope]:
        """Take every message out of a queue, as Lambda would hand it to a function."""
        return [_record(message) for message in _messages(self.queue_urls[queue])]

    def heard(self) -> list[Envelope]:
        """What came out of the bus since the last call, in order."""
        return [json.loads(record["body"]) for record in self.received("heard")]

    def heard_names(self) -> list[str]:
        return [envelope["detail-type"] for envelope in self.heard()]


def build_stack() -> Stack:
    table = TEMPLATES["storage"]["ScanTable"]["Properties"]
    made = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    clients.dynamodb().create_table(TableName=TABLE, **{name: table[name] for name in made})
    clients.s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    clients.s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    clients.s3().put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    urls = {name: clients.sqs().create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
    clients.events().create_event_bus(Name=BUS)
    for name, (bus, pattern, queue) in RULES.items():
        text = json.dumps(pattern).replace(json.dumps({"Ref": "ReportBucketName"}), json.dumps(BUCKET))
        clients.events().put_rule(Name=name, EventBusName=bus, EventPattern=text)
        clients.events().put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": queue, "Arn": _arn(urls[queue])}])
    return Stack(urls, DynamoScanTable(TABLE))


def _arn(queue_url: str) -> str:
    return clients.sqs().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _messages(queue_url: str) -> Iterator[dict[str, Any]]:
    while (
        messages := clients.sqs()
        .receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        .get("Messages")
    ):
        for message in messages:
            clients.sqs().delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            yield cast("dict[str, Any]", message)


def _record(message: dict[str, Any]) -> Envelope:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: one["StringValue"] for name, one in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:queue",
        "awsRegion": REGION,
    }
