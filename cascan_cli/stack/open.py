"""Open the stack that a command uses, on this machine or deployed on AWS.

Both have the same gateways.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import print_message
from cascan_cli.version import describe_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from cascan.aws.event_bus import EventBridgeBus
    from cascan.aws.s3.operator_records import S3OperatorRecords
    from cascan.aws.s3.report_store import S3ReportStore
    from cascan.aws.scheduler import EventBridgeScheduler
    from cascan.aws.sqs.operator_queue import SqsOperatorQueue
    from cascan.aws.sqs.request_queue import SqsRequestQueue
    from cascan.aws.tables.cascade_table import DynamoCascadeTable
    from cascan.aws.tables.message_table import DynamoMessageTable
    from cascan.aws.tables.mute_table import DynamoMuteTable
    from cascan.aws.tables.rule_table import DynamoRuleTable
    from cascan.aws.tables.scan_table import DynamoScanTable
    from cascan.aws.tables.schedule_table import DynamoScheduleTable
    from cascan_cli.local.endpoint import Endpoint
    from cascan_cli.local.policy import LocalPolicy

# Commands that only read, mostly from the table alone: module, and action if it has several
READERS = frozenset(
    {
        *(
            (run, None)
            for run in (
                "at",
                "diff",
                "explain",
                "exposure_check",
                "exposure_init",
                "exposure_plan",
                "findings",
                "host",
                "inventory",
                "reach",
                "report",
                "scans",
                "query",
                "search",
                "show",
                "tree",
                "when",
            )
        ),
        ("exposures", "list"),
        ("exposures", "why"),
        ("messages", "list"),
        ("messages", "show"),
        ("mutes", "mutes"),
        ("network", "list"),
        ("rules", "list"),
        ("rules", "show"),
        ("schedule", "list"),
        ("schedule", "show"),
        ("severity", "show"),
        ("vantage", "list"),
    }
)
MAX_EXPRESS = 16  # concurrent express workers; each takes 80 MB with its nmap
NMAP_MISSING = (
    "nmap is not installed. Install it and try again: apt-get install nmap (Debian, Ubuntu), "
    "dnf install nmap (Fedora), apk add nmap nmap-scripts (Alpine)"
)


class StackGateways(msgspec.Struct, frozen=True):
    """The gateways of one stack. Each is built, and its module imported, when it is used."""

    outputs: Mapping[str, str]  # of the template
    stays_up: bool  # False: the stack ends with this command, or soon after it
    is_local: bool = False
    own_port: int | None = None  # on which a local stack listens
    history_days: int = 0  # how long a deployed stack keeps its history; 0: for ever, as on one machine
    start: Callable[[], None] = lambda: None  # has the stack started that only its saved table stands for so far

    @property
    def table(self) -> DynamoScanTable:
        # Imported while the request is on its way.
        from cascan.aws.tables.scan_table import DynamoScanTable

        return DynamoScanTable(self.outputs["ScanTableName"], history_days=self.history_days)

    @property
    def reports(self) -> S3ReportStore:
        self.start()
        from cascan.aws.s3.report_store import S3ReportStore

        return S3ReportStore(self.outputs["ReportBucketName"])

    @property
    def operator_records(self) -> S3OperatorRecords:
        self.start()
        from cascan.aws.s3.operator_records import S3OperatorRecords

        return S3OperatorRecords(self.outputs["ReportBucketName"])

    @property
    def request_queue(self) -> SqsRequestQueue:
        self.start()
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["RequestQueueUrl"])

    @property
    def messages(self) -> DynamoMessageTable:
        from cascan.aws.tables.message_table import DynamoMessageTable

        return DynamoMessageTable(self.outputs["ScanTableName"])

    @property
    def mutes(self) -> DynamoMuteTable:
        from cascan.aws.tables.mute_table import DynamoMuteTable

        return DynamoMuteTable(self.outputs["ScanTableName"])

    @property
    def message_queue(self) -> SqsRequestQueue:
        self.start()
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["MessageQueueUrl"], "message queue")

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
        self.start()
        from cascan.aws.scheduler import EventBridgeScheduler

        return EventBridgeScheduler(
            self.outputs["ScheduleGroupName"],
            queue_arn=self.outputs["ScheduleQueueArn"],
            role_arn=self.outputs["SchedulerRoleArn"],
            dlq_arn=self.outputs["ScheduleDLQArn"],
        )

    @property
    def schedule_queue(self) -> SqsRequestQueue:
        self.start()
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["ScheduleQueueUrl"], "schedule queue")

    @property
    def control_queue(self) -> SqsRequestQueue:
        self.start()
        from cascan.aws.sqs.request_queue import SqsRequestQueue

        return SqsRequestQueue(self.outputs["ControlQueueUrl"], "control queue")

    def queue(self, name: str) -> SqsOperatorQueue:
        """A queue by its name in the template. Raises: BadInput: an earlier version deployed the stack."""
        self.start()
        from cascan.aws.sqs.operator_queue import SqsOperatorQueue

        url = self.outputs.get(f"{name}Url")
        if not url:
            raise BadInput(f"the stack has no output {name}Url: deploy this version of cascan, then try again")
        return SqsOperatorQueue(url)

    def queue_at(self, url: str) -> SqsOperatorQueue:
        """A queue of a vantage by its URL."""
        self.start()
        from cascan.aws.sqs.operator_queue import SqsOperatorQueue

        return SqsOperatorQueue(url)

    @property
    def bus(self) -> EventBridgeBus:
        self.start()
        from cascan.aws.event_bus import EventBridgeBus

        return EventBridgeBus(self.outputs["ScanBusName"])

    @property
    def submitter(self) -> str:
        """The identity that the idempotency keys of this command belong to."""
        from cascan.aws.identity import sender_id

        return sender_id(is_local=self.is_local)

    def uri(self, key: str) -> str:
        """The S3 address of an object in the report bucket."""
        return f"s3://{self.outputs['ReportBucketName']}/{key}"


@contextmanager
def open_stack(args: Namespace) -> Iterator[StackGateways]:
    """Open a deployed stack, or the local one. That is started if it is down, until the block ends.

    A command that only reads gets the table that the last local stack saved, if it is down: it is
    started only if the command needs more.

    Raises: CliError: the stack is not available.
    """
    if args.stack:
        description = describe_stack(args.stack)
        outputs = _read_outputs(args.stack, description)
        if warning := describe_difference(args.stack, outputs.get("Version")):
            print_message(warning)
        yield StackGateways(outputs, stays_up=True, history_days=_read_history_days(description))
        return
    if _only_reads(args):
        with ExitStack() as opened:
            saved = _open_saved(args, opened)
            if saved:
                yield saved
                return
    with _open_local(args) as stack:
        yield stack


def _only_reads(args: Namespace) -> bool:
    run = getattr(args, "run", None)
    return (run, None) in READERS or (run, getattr(args, "action", None)) in READERS


def _open_saved(args: Namespace, opened: ExitStack) -> StackGateways | None:
    """The gateways to the saved table. None: there is none, or it cannot stand for the stack.

    `opened` gets what is to be closed at the end.
    """
    from cascan_cli.local.state import StateDir

    state = StateDir(args.state_dir)
    if not state.is_saved():
        return None
    from cascan.model.scan import FINAL_STATES, ScanState
    from cascan_cli.local.deployment import TEMPLATE, find_current_outputs
    from cascan_cli.local.keep import KEEP_S
    from cascan_cli.local.policy import read_policy
    from cascan_cli.local.saved_table import open_saved_table

    outputs = find_current_outputs(state, TEMPLATE, local_parameters(read_policy(args.state_dir).widen(args)))
    table = open_saved_table(state) if outputs else None
    if outputs is None or table is None:
        return None
    opened.callback(table.close)
    has_messages = table.next_message_at < time.time() + KEEP_S
    if has_messages or table.scan_states - FINAL_STATES - {ScanState.SUSPENDED}:
        return None  # a stack that starts goes on with them
    is_started = False

    def start() -> None:
        nonlocal is_started
        if not is_started:
            opened.enter_context(_open_local(args))
            is_started = True  # not before: after a failed start, a read has to try again

    def read(operation: str, body: bytes) -> bytes:
        content = None if is_started else table.answer(operation, body)
        if content is not None:
            return content
        start()
        return _ask_stack(operation, body)

    from cascan.aws import clients

    clients.use_token("", "", read)  # until a stack starts, which sets its own
    return StackGateways(outputs, stays_up=False, is_local=True, own_port=state.port(), start=start)


def _ask_stack(operation: str, body: bytes) -> bytes:
    """The answer of the stack that has been started for a request of DynamoDB."""
    from cascan.aws import clients
    from cascan.aws.dynamodb.connection_pool import build_connection

    connection = build_connection(clients.dynamodb())
    try:
        connection.send(operation, body)
        return msgspec.json.encode(connection.answer())
    finally:
        connection.close()


@contextmanager
def _open_local(args: Namespace) -> Iterator[StackGateways]:
    from cascan_cli.local.policy import read_policy
    from cascan_cli.local.stack import local_stack
    from cascan_cli.local.state import StateDir

    policy = read_policy(args.state_dir)
    requested_policy = policy.widen(args)
    parameters = local_parameters(requested_policy)
    endpoint = StateDir(args.state_dir).endpoint()
    from threading import Thread

    preparing = Thread(target=_prepare, args=(endpoint,), daemon=True)
    preparing.start()
    with local_stack(args.state_dir, parameters, keeps_parameters=True, print_message=print_message) as stack:
        preparing.join()
        if stack.attached and requested_policy != policy:
            raise BadInput(
                f"the stack on this machine is up, and {policy.sentence()}. Change that with cascan local up "
                "--allow … --policy-profile …, or stop the stack with cascan local down and repeat this command"
            )
        if stack.endpoint != endpoint:  # the stack was killed, and started again with a new secret
            _prepare_again(stack.endpoint)
        if stack.needs_rebuild:
            from cascan_cli.stack.rebuild_local import rebuild_local  # imported here: rarely needed

            rebuild_local(stack, print_message)
        yield StackGateways(stack.outputs, stays_up=stack.attached, is_local=True, own_port=stack.endpoint.port)


def _prepare(endpoint: Endpoint) -> None:
    """Import boto3 and build the first client while the emulator starts."""
    from cascan_cli.local.aws import use_endpoint

    use_endpoint(endpoint)
    from cascan.aws import clients

    clients.sqs()


def _prepare_again(endpoint: Endpoint) -> None:
    """Replace clients that were built with an old secret."""
    from cascan.aws import clients

    clients.forget()
    _prepare(endpoint)


def local_parameters(policy: LocalPolicy) -> dict[str, str]:
    """The parameters of the template on one machine. Raises: CliError: nmap is not installed."""
    import shutil

    nmap = shutil.which("nmap")
    if nmap is None:
        raise CliError(NMAP_MISSING)
    return {
        "AllowedTargets": ",".join(policy.allowed_targets),
        "DeniedTargets": ",",  # loopback may be scanned here
        "PolicyProfile": policy.profile,
        "NmapCommand": str(Path(nmap).resolve()),
        "PythonRuntime": f"python{sys.version_info.major}.{sys.version_info.minor}",  # the emulator runs on this one
        "SingleExecutions": "enabled",
        "WorkerImageTag": _nmap_tag(Path(nmap)),
        "WorkerSubnets": "subnet-local",
        "MetricMath": "disabled",
        "WorkerSecurityGroups": "sg-local",
        "WorkerPublicIp": "DISABLED",  # express workers reach all that this machine reaches
        "PlanningConcurrency": "2",  # each is a process on this machine
        "MaxWorkers": str(os.cpu_count() or 1),
        "ExpressConcurrency": str(min(MAX_EXPRESS, 2 * (os.cpu_count() or 1))),
        "IdleExitSeconds": "8",  # a failed shard is delivered again after 5
    }


def _nmap_tag(nmap: Path) -> str:
    """Takes the place of an image tag: it changes when nmap is updated."""
    file = nmap.stat()
    return f"host-{file.st_size}-{int(file.st_mtime)}"


def describe_stack(name: str) -> StackTypeDef:
    """CloudFormation's description of a deployed stack. Raises: CliError: it cannot be read."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as exc:
        raise CliError(f"stack {name!r} cannot be read: {exc}") from exc
    return stacks[0]


def _read_history_days(description: StackTypeDef) -> int:
    """The parameter HistoryRetentionDays. 0: for ever; or an earlier version deployed the stack."""
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in description.get("Parameters", [])}
    return int(parameters.get("HistoryRetentionDays", "0"))


def _read_outputs(name: str, description: StackTypeDef) -> dict[str, str]:
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    missing = {
        "RequestQueueUrl",
        "ControlQueueUrl",
        "ScanTableName",
        "ReportBucketName",
    } - outputs.keys()
    if missing:
        raise BadInput(f"stack {name!r} is not a cascan stack: it has no output {', '.join(sorted(missing))}")
    return outputs
