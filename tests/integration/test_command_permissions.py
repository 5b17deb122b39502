"""The policies of infra/access.yaml: what each group's commands call on AWS, as recorded over them, and no more."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.dynamodb.connection import Connection
from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import no_time_limit
from cascan.events import ReportStored, ShardQueued, ShardReturned
from cascan.events.control import ControlRequested
from cascan.exposure.life import add_looks, start_exposure
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey, derive_keyed_scan_id, derive_scan_id, digest_body
from cascan.model.exposure import ExposureSubject, JudgedLook
from cascan.model.mute import StoredMute
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.shard import Lane
from cascan.model.vantage import Vantage
from cascan.permissions.scope import Scope
from cascan.recovery.scan_records import ReportedShard, store_plan, store_run
from cascan_cli import commands
from cascan_cli.commands import doctor
from cascan_cli.main import main
from cascan_cli.stack import open as open_module
from cascan_cli.stack import permissions as permissions_module
from cascan_cli.stack.dead_letters import PARKED_SHARDS, QUEUES
from cascan_cli.stack.open import StackGateways
from on_control_requested.control_scan import control_scan
from on_report_stored.record_findings import record_findings
from tests.docs.a_stack import KEY, SCHEDULE, SUBMITTER, detailed
from tests.docs.test_output import FILES
from tests.fakes import MemoryEventBus, MemoryShardQueues
from tests.integration.handlers.conftest import moto_clients  # noqa: F401 - a fixture
from tests.integration.handlers.stack import BUCKET, BUS, TABLE, build_stack
from tests.support.aws_calls import ResourceNames, find_permissions, find_permissions_of_error
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, clock
from tests.support.policies import Permission, find_refusals
from tests.support.scanned_network import World
from tests.template.model import MODEL, Model, Resource, as_list
from tests.template.roles import resolve

Grant = tuple[str, str]  # action, resource
ACCOUNT = "arn:AWS::Partition:{service}:AWS::Region:AWS::AccountId"
STACK = f"{ACCOUNT.format(service='cloudformation')}:stack/AWS::StackName/*"
SCHEDULES = f"{ACCOUNT.format(service='scheduler')}:schedule/Messaging/ScheduleGroup/"
IN_FOLDER = re.compile(rf"Storage/ReportBucket\.Arn/\w+/|{re.escape(SCHEDULES)}")
REPOSITORY_URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/workers"
# What AWS answers to doctor's questions. moto knows none of them here; an error's code is a text.
ANSWERS: dict[str, dict[str, Any] | str] = {
    "DescribeStackResource": {"StackResourceDetail": {"PhysicalResourceId": "on-minute-passed"}},
    "GetMetricData": {"MetricDataResults": []},
    "DescribeImages": {"imageDetails": []},
    "GetServiceQuota": "NoSuchResourceException",
    "GetAWSDefaultServiceQuota": {"Quota": {"Value": 1000.0}},
    "DescribeSubnets": {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]},
    "DescribeRouteTables": {"RouteTables": []},
    "DescribeVpcEndpoints": {"VpcEndpoints": []},
    "DescribeHub": {},
}
READERS = [
    "scans",
    "findings SCANNED",
    "report SCANNED",
    "report SCANNED --xml",
    "report SCANNED --as html -o report.html",
    "diff SCANNED --all",
    "inventory --all",
    "inventory --port 22",
    "when 10.0.0.1:22 --evidence",
    "when 52:54:00:12:34:56",
    "at now --port 22",
    "diff --since 2026-03-01 --all",
    "findings --now",
    "findings SCANNED --new",
    "show SCANNED",
    "host 10.0.0.1",
    "explain FINDING --scan SCANNED",
    "search ssh",
    "query -f weekly.sql",
    "tree SCANNED",
    "rules list",
    "rules show follow",
    "schedule list",
    "schedule show nightly",
    "severity show",
    "check 10.0.0.1",
    "vantage list",
    "network list",
    "cost 10.0.0.1",
    "wait SCANNED --fail-on new",
    "watch SCANNED",
    "reach 10.0.0.1",
    "exposure list",
    "exposure init",
    "exposure check exposure.yaml",
    "exposure plan exposure.yaml",
    "messages show",
    "messages list",
    "messages mutes",
]
TALKS_TO_AWS = ("open_stack", "describe_stack", "read_permissions", "boto3")  # names in the module of a command
SUBMITTERS = ["scan --no-wait 10.0.0.1", "submit -f request.json", "submit -f scan.yaml --no-wait"]
OPERATORS = [
    "exposure apply exposure.yaml",
    "messages set channels.yaml",
    "messages test",
    "messages retry",
    "messages mute --all --for 2h",
    "messages unmute MUTED",
    "exposure ack EXPOSURE --why reason",
    "exposure accept EXPOSURE --until 9999-01-01 --why reason",
    "exposure reopen EXPOSURE",
    "why EXPOSURE",
    "apply -f apply.yaml",
    "apply -f apply.yaml",
    "severity apply -f severity.yaml",
    *READERS,
    *SUBMITTERS,
    "rules test follow --scan SCANNED",
    "suspend RUNNING",
    "resume RUNNING",
    "cancel RUNNING",
    "halt",
    "halt --lift",
    "schedule pause nightly",
    "schedule resume nightly",
    "schedule run-now nightly",
    "reparse SCANNED --events",
    "rebuild --yes",
    "migrate",
    "schedule delete nightly",
    "history delete 10.0.0.1",
    "history backfill SCANNED",
    "delete SCANNED --yes --no-wait",
    "rules delete follow",
    "vantage add office --connect-queue https://sqs.test/office",
    "vantage remove office",
    "network add 10.0.3.0/24 --identity mac",
    "network remove 10.0.3.0/24",
    "REBUILD",
]
DEAD_LETTERS = ["redrive list", "redrive send --all", "redrive show PARKED", "redrive drop PARKED --yes"]
DOCTOR = ["doctor"]
SUBJECT = ExposureSubject(vantage="default", address="10.0.0.1", protocol="tcp", port=23, kind="unexpected-open")
LOOK = JudgedLook(seen_at=NOW, report_key="a run", holds=True)
EXPOSURE = replace(add_looks(start_exposure(SUBJECT), [LOOK], NOW), revision=1)
CANCEL_NOTHING = json.dumps({"action": "cancel", "scanId": "x"})
MAX_POLICY_CHARS = 6_144  # of a managed policy, white space not counted
# The longest that each part of an ARN can be, for stacks whose name has the 44 characters that are allowed.
LONGEST = {
    r"AWS::Partition": "aws-us-gov",
    r"AWS::Region": "ap-southeast-2",
    r"AWS::AccountId": "1" * 12,
    r"AWS::StackName": "s" * 44,
    r"Messaging/ScheduleGroup": "g" * 64,
    r"\w+/\w+\.Arn": "arn:aws-us-gov:dynamodb:ap-southeast-2:111111111111:" + "q" * 90,
}
IMPORTING = MODEL.with_defaults(SecurityHub="enabled")  # a stack with every queue


@dataclass
class Recorder:
    """The permissions that calls need, while it records."""

    names: ResourceNames
    on_send: Callable[[str, str, str], None]  # queue, body, message id
    grants: set[Grant] = field(default_factory=set)
    permissions: dict[str, Permission] = field(default_factory=dict)
    is_recording: bool = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        recording, self.is_recording = self.is_recording, False
        yield
        self.is_recording = recording

    def record(self, service: str, operation: str, request: dict[str, Any], *, code: str = "") -> None:
        """`code`: of the error that the call ended with."""
        if not self.is_recording:
            return
        if code:
            permissions = find_permissions_of_error(service, operation, request, code, self.names)
        else:
            permissions = find_permissions(service, operation, request, self.names)
        for permission in permissions:
            self.permissions[str(permission)] = permission
            in_folder = IN_FOLDER.match(permission.resource)
            self.grants.add((permission.action, f"{in_folder[0]}*" if in_folder else permission.resource))


def document_of(policy: Resource, model: Model = IMPORTING) -> dict[str, Any]:
    """The document of the policy with its references resolved."""
    document = model.chosen(policy.properties["PolicyDocument"], policy.stack)
    return resolve(document, policy.stack, model)  # type: ignore[no-any-return]


def statements_of(policy: Resource) -> list[dict[str, Any]]:
    return document_of(policy)["Statement"]  # type: ignore[no-any-return]


def granted_by(policy: Resource) -> dict[str, set[str]]:
    """Resource → actions."""
    granted: dict[str, set[str]] = defaultdict(set)
    for statement in statements_of(policy):
        assert statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"]):
            granted[resource] |= set(as_list(statement["Action"]))
    return granted


def answer_doctor(operation: str) -> dict[str, Any]:
    """Raises: ClientError: that is the answer."""
    answer = ANSWERS[operation]
    if isinstance(answer, str):
        raise ClientError({"Error": {"Code": answer, "Message": ""}}, operation)
    return answer


def address_of_queue(name: str) -> str:
    return f"{'HubImports' if name.startswith('Import') else 'Messaging'}/{name}.Arn"


VANTAGE_QUEUES = "arn:AWS::Partition:sqs:AWS::Region:AWS::AccountId:AWS::StackName-vantage-*"


class DeployedStack:
    """A stack on moto with something for every command, whose functions act on the messages that the command sends."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moto, self.table = build_stack(), DynamoScanTable(TABLE)
        self.reports, self.records = S3ReportStore(BUCKET), S3OperatorRecords(BUCKET)
        names = {queue.name for queue in QUEUES} | {name for queue in QUEUES for name in queue.sent_back_to}
        names |= {"ExpressShardQueue", "ConnectShardQueue", "RawShardQueue"}
        urls = {name: clients.sqs().create_queue(QueueName=name)["QueueUrl"] for name in sorted(names)}
        self.of_vantage = clients.sqs().create_queue(QueueName="cascan-vantage-lab-connect")["QueueUrl"]
        dead_letters = clients.sqs().create_queue(QueueName="cascan-vantage-lab-connect-dlq")["QueueUrl"]
        clients.scheduler().create_schedule_group(Name="group")
        arn = "arn:aws:sqs:eu-central-1:123456789012:ScheduleQueue"
        self.outputs = {f"{name}Url": url for name, url in urls.items()} | {
            "ScanTableName": TABLE,
            "ReportBucketName": BUCKET,
            "ScanBusName": BUS,
            "ScheduleGroupName": "group",
            "ScheduleQueueArn": arn,
            "ScheduleDLQArn": arn,
            "SchedulerRoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "CascadingRules": "enabled",
            "WorkerRepositoryUri": REPOSITORY_URI,
        }
        resources = ResourceNames(
            tables={TABLE: "Storage/ScanTable.Arn"},
            buckets={BUCKET: "Storage/ReportBucket.Arn"},
            queues={url: address_of_queue(name) for name, url in urls.items()}
            | dict.fromkeys((self.of_vantage, dead_letters), VANTAGE_QUEUES),
            buses={BUS: "Messaging/ScanBus.Arn"},
            schedules=SCHEDULES,
            schedule_role="Messaging/SchedulerRole.Arn",
            stack=STACK,
            hub=f"{ACCOUNT.format(service='securityhub')}:hub/default",
            repositories={"workers": "Workers/WorkerRepository.Arn"},
        )
        self.recorder = Recorder(resources, self._act)
        self._park_messages(urls)
        world = World(folder)
        world.table, world.reports = self.table, self.reports  # type: ignore[assignment]
        self._scan(world, 0, detailed({"10.0.0.1": (22, 80)}))
        self._scan(world, 1, detailed({"10.0.0.1": (22, 23)}))
        self.finding = next(self.table.findings(self.scanned)).id
        self.table.create_scan(a_scan(shards=len(Lane), shards_open=len(Lane)))
        self.table.add_shards([a_shard(number=number, lane=lane) for number, lane in enumerate(Lane)])
        self._patch(monkeypatch)

    def _park_messages(self, urls: dict[str, str]) -> None:
        """One in each dead-letter queue that the command reads; of parked shards one for each queue it goes back to."""
        bodies = {queue.name: [CANCEL_NOTHING] for queue in QUEUES if not queue.reader}
        shards = [ShardQueued(scan_id=SCAN_ID, cause_id="x", shard=number).to_wire() for number in range(len(Lane))]
        bodies[PARKED_SHARDS] = [*shards, ShardReturned(scan_id=SCAN_ID, cause_id="x", shard=0).to_wire()]
        sent = {
            name: clients.sqs().send_message(QueueUrl=urls[name], MessageBody=body)
            for name in bodies
            for body in bodies[name]
        }
        self.parked = sent["WakeupDLQ"]["MessageId"]  # which cannot be sent back

    def _scan(self, world: World, hour: int, report: bytes) -> None:
        key = world.stored(hour, report)
        self.scanned = ReportKey.parse(key).scan_id
        (shard,) = self.table.shards(self.scanned)
        store_plan(self.reports, a_scan(scan_id=self.scanned, requested_at=NOW), [a_shard(scan_id=self.scanned)])
        store_run(self.reports, ReportedShard(shard))
        stored = ReportStored(key=key, bucket=BUCKET, size=len(report), event_id=key)
        gateways = ScanGateways(self.table, MemoryShardQueues(), MemoryEventBus(), clock)
        record_findings(
            stored,
            gateways,
            scope=Scope.of(["10.0.0.0/8"]),
            reports=self.reports,
            left_s=no_time_limit,
            results=self.table,
        )
        assert self.table.finish_scan(self.scanned, Counts())

    def _act(self, queue: str, body: str, message_id: str) -> None:
        """As the function behind the queue does."""
        if queue == "Messaging/RequestQueue.Arn":
            ended = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0, "finished_at": NOW}
            for scan_id in (derive_keyed_scan_id(SUBMITTER, KEY), derive_scan_id(message_id)):
                self.table.create_scan(a_scan(scan_id=scan_id, request_digest=digest_body(body), **ended))
        elif queue == "Messaging/ControlQueue.Arn" and json.loads(body)["scanId"] != "x":
            control_scan(
                ControlRequested.from_wire(body),
                ScanGateways(self.table, MemoryShardQueues(), MemoryEventBus(), clock),
                reports=self.reports,
                operator_records=self.records,
                stack_switch=self.table,
            )

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Record every call, and have the commands open this stack."""
        recorder, call_client, send = self.recorder, BaseClient._make_api_call, Connection.send  # type: ignore[attr-defined]

        def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            recorder.record(service, operation, request)
            if operation in ANSWERS and recorder.is_recording:
                return answer_doctor(operation)
            try:
                answer = call_client(client, operation, request)
            except ClientError as exc:
                recorder.record(service, operation, request, code=exc.response["Error"]["Code"])
                raise
            if operation == "SendMessage" and recorder.is_recording:
                with recorder.paused():
                    self._act(recorder.names.queues[request["QueueUrl"]], request["MessageBody"], answer["MessageId"])
            return answer

        def send_signed(connection: Connection, operation: str, body: bytes) -> None:
            recorder.record("dynamodb", operation, json.loads(body))
            send(connection, operation, body)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        monkeypatch.setattr(Connection, "send", send_signed)
        described = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]

        def describe(_: str) -> Any:
            if recorder.is_recording:
                recorder.grants.add(("cloudformation:DescribeStacks", STACK))
            parameters = [{"ParameterKey": "AllowedTargets", "ParameterValue": "10.0.0.0/8"}]
            parameters.append({"ParameterKey": "WorkerSubnets", "ParameterValue": "subnet-1"})
            parameters.append({"ParameterKey": "WorkerPublicIp", "ParameterValue": "DISABLED"})
            parameters.append({"ParameterKey": "SecurityHub", "ParameterValue": "enabled"})
            parameters.append({"ParameterKey": "WorkerImageTag", "ParameterValue": "0.1.0"})
            return {"Outputs": described, "Parameters": parameters, "StackStatus": "CREATE_COMPLETE"}

        monkeypatch.setattr(StackGateways, "submitter", SUBMITTER)
        monkeypatch.setattr(open_module, "describe_stack", describe)
        for module in (permissions_module, doctor):
            monkeypatch.setattr(module, "describe_stack", describe)

    def run(self, line: str) -> None:
        """Run the command on the stack, recording what it calls."""
        if line == "REBUILD":  # of a table that is lost
            for item in clients.dynamodb().scan(TableName=TABLE)["Items"]:
                clients.dynamodb().delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})
            line = "rebuild --yes"
        names = {"RUNNING": SCAN_ID, "SCANNED": self.scanned, "PARKED": self.parked, "EXPOSURE": EXPOSURE.exposure_id}
        names["FINDING"] = self.finding
        words = [names.get(word, word) for word in line.split()]
        prints_json = not {"--as", "--xml"}.intersection(words) and words[:2] != ["exposure", "init"]
        self.recorder.is_recording = True
        code = main([*words, "--stack", "prod", *(["--json"] if prints_json else [])])
        self.recorder.is_recording = False
        assert code in (0, 1, 4) or line == "doctor", line  # whose code says what is wrong with the stack


@pytest.fixture
def deployed(
    moto_clients: None,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DeployedStack]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name, text in FILES.items():
        Path(name).write_text(text)
    with mock_aws():
        clients.scheduler.cache_clear()
        yield DeployedStack(tmp_path, monkeypatch)
        clients.scheduler.cache_clear()


def policy_of(group: str) -> Resource:
    return MODEL.resource(f"Access/{group}Policy")


def recorded(deployed: DeployedStack, lines: list[str]) -> dict[str, set[str]]:
    for line in lines:
        deployed.run(line)
    needed: dict[str, set[str]] = defaultdict(set)
    for action, resource in deployed.recorder.grants:
        needed[resource].add(action)
    return needed


def prepare(deployed: DeployedStack) -> None:
    """Rules, a schedule, an exposure and a vantage for the commands that show them."""
    with deployed.recorder.paused():
        assert deployed.table.put_exposure(EXPOSURE)
        mute = StoredMute(mute_id="MUTED", begins_at=NOW, ends_at=datetime(9999, 1, 1, tzinfo=UTC), revision=1)
        assert DynamoMuteTable(TABLE).put_mute(mute)
        deployed.table.put_vantage(Vantage(name="lab", queues={"connect": deployed.of_vantage}))
        for document in yaml.safe_load_all(FILES["apply.yaml"]):
            gateways = StackGateways(deployed.outputs, stays_up=True)
            name = document["metadata"]["name"]
            if document["kind"] == "CascadingRule":
                gateways.rules.put_rule("follow", {**document, "metadata": {"name": "follow"}})
            elif document["kind"] == SCHEDULE["kind"]:
                gateways.schedules.put_schedule(name, document)


@pytest.mark.parametrize(
    ("group", "lines"),
    [
        ("Readers", READERS),
        ("Submitters", SUBMITTERS),
        ("Operators", OPERATORS),
        ("DeadLetters", DEAD_LETTERS),
        ("Doctor", DOCTOR),
    ],
)
def test_a_policy_has_what_the_commands_of_its_group_call_and_nothing_else(
    deployed: DeployedStack, group: str, lines: list[str]
) -> None:
    prepare(deployed)
    needed, granted = recorded(deployed, lines), granted_by(policy_of(group))
    missing = {resource: actions - granted[resource] for resource, actions in needed.items()}
    assert {resource: actions for resource, actions in missing.items() if actions} == {}
    assert find_refusals(statements_of(policy_of(group)), deployed.recorder.permissions.values()) == []
    unused = {resource: actions - needed[resource] for resource, actions in granted.items()}
    assert {resource: actions for resource, actions in unused.items() if actions} == {}


@pytest.mark.parametrize("policy", MODEL.resources("AWS::IAM::ManagedPolicy"), ids=lambda policy: policy.name)
def test_a_policy_fits_into_the_characters_that_iam_allows(policy: Resource) -> None:
    document = json.dumps(document_of(policy), separators=(",", ":"))
    for name, longest in LONGEST.items():
        document = re.sub(name, longest, document)
    assert len(document) <= MAX_POLICY_CHARS


def test_every_command_that_talks_to_aws_is_recorded() -> None:
    run = {line.split()[0] for line in OPERATORS + DEAD_LETTERS + DOCTOR}
    talking = set()
    for command in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        source = Path(importlib.import_module(command.name).__file__ or "").read_text()
        if any(re.search(rf"\b{name}\b", source) for name in TALKS_TO_AWS):
            talking.add(command.name.rpartition(".")[2])
    typed_as = {
        "control": "cancel",
        "export_findings": "findings",
        "backfill": "history",
        "mutes": "messages",
    } | dict.fromkeys(("exposures", "exposure_check", "exposure_init"), "exposure")
    # The local stack has no policies; a worker has the role of a worker; `vuls scan` calls what submit and
    # report call, and its scan would have to run; the pages of `ui` and the lists of `top` call what the commands
    # call, and `top` goes on where it may not count messages
    assert {typed_as.get(name, name) for name in talking} - run == {"local", "worker", "vuls", "ui", "top"}
