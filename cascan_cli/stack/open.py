"""The stack a command talks to: the one on this machine, or a deployed one by name. The same gateways for both."""

from __future__ import annotations

import os
import shutil
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from cascan.aws.s3.operator_records import S3OperatorRecords
    from cascan.aws.s3.report_store import S3ReportStore
    from cascan.aws.scheduler import EventBridgeScheduler
    from cascan.aws.sqs.request_queue import SqsRequestQueue
    from cascan.aws.tables.cascade_table import DynamoCascadeTable
    from cascan.aws.tables.rule_table import DynamoRuleTable
    from cascan.aws.tables.scan_table import DynamoScanTable
    from cascan.aws.tables.schedule_table import DynamoScheduleTable
    from cascan_cli.local.endpoint import Endpoint
    from cascan_cli.local.policy import LocalPolicy

MOST_EXPRESS = 16  # a function and its nmap take 80 MB
NMAP_MISSING = (
    "nmap is not installed. Install it and try again: apt-get install nmap (Debian, Ubuntu), "
    "dnf install nmap (Fedora), apk add nmap nmap-scripts (Alpine)"
)


@dataclass(frozen=True, slots=True)
class StackGateways:
    """The gateways of one stack, each built when it is first asked for."""

    outputs: Mapping[str, str]
    stays_up: bool  # False: it ends with this command
    is_local: bool = False
    own_port: int | None = None  # where a local stack listens

    @property
    def table(self) -> DynamoScanTable:
        from cascan.aws.tables.scan_table import DynamoScanTable  # the request is on its way by then

        return DynamoScanTable(self.outputs["ScanTableName"])

    @property
    def reports(self) -> S3ReportStore:
        from cascan.aws.s3.report_store import S3ReportStore

        return S3ReportStore(self.outputs["ReportBucketName"])

    @property
    def operator_records(self) -> S3OperatorRecords:
        from cascan.aws.s3.operator_records import S3OperatorRecords

        return S3OperatorRecords(self.outputs["ReportBucketName"])

    @property
    def request_queue(self) -> SqsRequestQueue:
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["RequestQueueUrl"])

    @property
    def rules(self) -> DynamoRuleTable:
        from cascan.aws.tables.rule_table import DynamoRuleTable

        return DynamoRuleTable(self.outputs["ScanTableName"])

    @property
    def cascades(self) -> DynamoCascadeTable:
        from cascan.aws.tables.cascade_table import DynamoCascadeTable

        return DynamoCascadeTable(self.outputs["ScanTableName"])

    @property
    def schedules(self) -> DynamoScheduleTable:
        from cascan.aws.tables.schedule_table import DynamoScheduleTable

        return DynamoScheduleTable(self.outputs["ScanTableName"])

    @property
    def scheduler(self) -> EventBridgeScheduler:
        from cascan.aws.scheduler import EventBridgeScheduler

        return EventBridgeScheduler(
            self.outputs["ScheduleGroupName"],
            queue_arn=self.outputs["ScheduleQueueArn"],
            role_arn=self.outputs["SchedulerRoleArn"],
            dlq_arn=self.outputs["ScheduleDLQArn"],
        )

    @property
    def schedule_queue(self) -> SqsRequestQueue:
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["ScheduleQueueUrl"], "schedule queue")

    @property
    def control_queue(self) -> SqsRequestQueue:
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["ControlQueueUrl"], "control queue")

    @property
    def submitter(self) -> str:
        """Whose idempotency keys this command's are."""
        from cascan.aws.identity import sender_id

        return sender_id(is_local=self.is_local)

    def uri(self, key: str) -> str:
        return f"s3://{self.outputs['ReportBucketName']}/{key}"


@contextmanager
def open_stack(args: Namespace) -> Iterator[StackGateways]:
    """Raises: CliError: the stack is not to be had."""
    if args.stack:
        yield StackGateways(_deployed_outputs(args.stack), stays_up=True)
        return
    from cascan_cli.local.policy import read_policy
    from cascan_cli.local.stack import local_stack
    from cascan_cli.local.state import StateDir

    stays, asked = read_policy(args.state_dir), read_policy(args.state_dir).widened(args)
    parameters = local_parameters(asked)
    endpoint = StateDir(args.state_dir).endpoint()
    preparing = threading.Thread(target=_prepare, args=(endpoint,), daemon=True)
    preparing.start()
    with local_stack(args.state_dir, parameters, keeps_parameters=True, say=print_message) as stack:
        preparing.join()
        if stack.attached and asked != stays:
            raise BadInput(
                f"the stack on this machine is up, and {stays.sentence()}. Change that with cascan local up "
                "--allow … --policy-profile …; or end it with cascan local down, and give the scan its own"
            )
        if stack.endpoint != endpoint:  # a stack that was killed has a new secret
            _turn_again(stack.endpoint)
        if stack.needs_rebuild:
            from cascan_cli.stack.rebuild_local import rebuild_local  # seldom

            rebuild_local(stack, print_message)
        yield StackGateways(stack.outputs, stays_up=stack.attached, is_local=True, own_port=stack.endpoint.port)


def _prepare(endpoint: Endpoint) -> None:
    """Load boto3 and the client that is needed first, while the emulator boots."""
    from cascan_cli.local.aws import use_endpoint

    use_endpoint(endpoint)
    from cascan.aws import clients

    clients.sqs()


def _turn_again(endpoint: Endpoint) -> None:
    """As `_prepare`, where that went by a secret that does not count any more."""
    from cascan.aws import clients

    clients.forget()
    _prepare(endpoint)


def local_parameters(policy: LocalPolicy) -> dict[str, str]:
    """The template's parameters on one machine. Raises: CliError: there is no nmap."""
    nmap = shutil.which("nmap")
    if nmap is None:
        raise CliError(NMAP_MISSING)
    return {
        "AllowedTargets": ",".join(policy.allowed_targets),
        "DeniedTargets": ",",  # loopback may be scanned here
        "PolicyProfile": policy.profile,
        "NmapCommand": str(Path(nmap).resolve()),
        "WorkerImageTag": _made_of(Path(nmap)),
        "WorkerSubnets": "subnet-local",
        "WorkerSecurityGroups": "sg-local",
        "WorkerPublicIp": "DISABLED",  # the express lane reaches what this machine does
        "MaxWorkers": str(os.cpu_count() or 1),
        "ExpressConcurrency": str(min(MOST_EXPRESS, 2 * (os.cpu_count() or 1))),
        "IdleExitSeconds": "8",  # a shard that failed comes again after 5
    }


def _made_of(nmap: Path) -> str:
    """In place of an image's tag: another text when the machine's nmap is another one, as after an update."""
    status = nmap.stat()
    return f"host-{status.st_size}-{int(status.st_mtime)}"


def describe_stack(name: str) -> StackTypeDef:
    """The deployed stack as CloudFormation has it. Raises: CliError: it cannot be read."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as exc:
        raise CliError(f"stack {name!r} cannot be read: {exc}") from exc
    return stacks[0]


def _deployed_outputs(name: str) -> dict[str, str]:
    outputs = {o["OutputKey"]: o["OutputValue"] for o in describe_stack(name).get("Outputs", [])}
    missing = {"RequestQueueUrl", "ControlQueueUrl", "ScanTableName", "ReportBucketName"} - outputs.keys()
    if missing:
        raise BadInput(f"stack {name!r} is not a cascan stack: it has no output {', '.join(sorted(missing))}")
    return outputs
