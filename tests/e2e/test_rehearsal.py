"""The deployment as a person does it: make deploy, a scan by the stack's name, the next versions, and make destroy.

Shows what only real artifacts and real roles can. The functions run from their zips, in an emulator whose venv holds
nothing of ours; AUTH=true has each role's policy decide what its function may do; every call goes over https; nmap is
the one in the layer that `sam build` made. Needs sam (on PATH or in .venv-sam), Debian's archive, and PyPI or a mirror.
What the emulator misjudges is taken out of a copy of the templates: tests/e2e/rehearsed.py lists it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cascan.aws import clients
from cascan.schedules.due import SCHEDULED_TIME, build_target_input
from cascan_cli.local.guard import HOST
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import read_template
from tests.e2e.rehearsed import (
    BUILT,
    CONCESSIONS,
    ROOT,
    RUNTIME,
    SAM,
    UNKNOWN_KEYS,
    Concessions,
    Deployed,
    SecureEndpoint,
    client_environment,
    copy_project,
    install_tools,
    open_client,
    run,
    run_emulator,
)
from tests.e2e.ticks import another_scanner, tick
from tests.support.cascading import rule_document
from tests.support.waiting import eventually

TEMPLATE = read_template(ROOT / "template.yaml")
FUNCTIONS = sorted(name for name, resource in TEMPLATE["Resources"].items() if "Handler" in resource["Properties"])
TOOLS = ("ministack[full]==1.5.33", "awscli==1.46.3")
STACK, SECOND = "rehearsal", "another"
DUE_AT = "2026-01-01T00:00:00Z"  # as EventBridge Scheduler writes it
GIVEN_BY_LAMBDA = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}
TAKEN_IF_THERE = {"certifi", "_distutils_hack"}  # by botocore, and by every interpreter that has setuptools
PARAMETERS = {"MetricMath": "disabled", "IdleExitSeconds": "3", "SingleExecutions": "enabled"}
SETTINGS = {
    "ALLOWED": "127.0.0.0/8",
    "DENIED": ",",
    "NETWORK": "subnets",
    "SUBNETS": "subnet-1",
    "SECURITY_GROUPS": "sg-1",
    "PUBLIC_IP": "DISABLED",
    "MAX_WORKERS": "0",  # there is no registry to push images to: the workers come with the second deployment
    "PYTHON_VERSION": RUNTIME.removeprefix("python"),
    "PARAMETERS": " ".join(f"{name}={value}" for name, value in PARAMETERS.items()),
    "CONFIRM": "yes",
    "XDG_CACHE_HOME": str(ROOT / ".cache"),  # what the build downloads stays
}
NEW_CODE = """

_work = handler


def handler(event, context):
    return _work(event, context) | {"rehearsed": "new"}
"""

LACKING = [
    reason
    for there, reason in (
        (SAM, "sam is neither on PATH nor in .venv-sam/bin: pip install aws-sam-cli there"),
        (shutil.which(RUNTIME), f"the emulator runs on {RUNTIME}, which is not on PATH"),
        (shutil.which("openssl"), "the emulator makes its certificate with openssl, which is not on PATH"),
    )
    if not there
]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),  # a first run makes a venv and downloads: about a minute; later ones take half of it
    pytest.mark.skipif(bool(LACKING), reason="; ".join(LACKING)),
]


@pytest.fixture(scope="module")
def emulator_python() -> Path:
    """The interpreter of a venv with the emulator, the AWS CLI and what they need; made again when a pin changes."""
    folder = ROOT / ".venv-emulator"
    made_of, python = folder / "made-of", folder / "bin" / "python"
    if not made_of.exists() or made_of.read_text() != f"{RUNTIME} {TOOLS}":
        run([RUNTIME, "-m", "venv", "--clear", folder], os.environ)
        run([python, "-m", "pip", "install", "--quiet", *TOOLS], os.environ, timeout_s=900)
        made_of.write_text(f"{RUNTIME} {TOOLS}")
    return python


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> StateDir:
    return StateDir(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def endpoint(emulator_python: Path, state: StateDir) -> Iterator[SecureEndpoint]:
    with run_emulator(emulator_python, state) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def environment(
    endpoint: SecureEndpoint, state: StateDir, emulator_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """For commands, and for the clients of this process."""
    tools = tmp_path_factory.mktemp("tools")
    install_tools(tools, emulator_python)
    environment = client_environment(endpoint, state, tools)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("AWS_") or name == "NO_PROXY":
                patch.setenv(name, value)
        clients.forget()
        yield environment
    clients.forget()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Concessions]:
    folder = tmp_path_factory.mktemp("project")
    return folder, copy_project(folder, PARAMETERS)


@pytest.fixture(scope="module")
def cascan(project: tuple[Path, Concessions], environment: Mapping[str, str], endpoint: SecureEndpoint) -> Deployed:
    """A stack that `make deploy` deployed, into an account that had none."""
    folder, _ = project
    printed = run(
        [sys.executable, folder / "infra" / "deploy.py", "deploy"],
        {**environment, **SETTINGS, "STACK": STACK},
        timeout_s=900,
        folder=folder,
    )
    assert "$0 from this stack; your NAT gateway or endpoints cost what they cost now" in printed
    assert f"cascan scan 127.0.0.0/8 --stack {STACK}" in printed
    return Deployed(STACK, environment, endpoint)


@pytest.fixture(scope="module")
def built(cascan: Deployed, project: tuple[Path, Concessions]) -> Path:
    """What `sam build` made: a template, a folder for each function, layer and nested template."""
    return project[0] / BUILT


class Versions:
    """Deploys versions of the stack that differ from the built one; what is uploaded already is not sent again."""

    def __init__(self, built: Path, cascan: Deployed, folder: Path) -> None:
        self._built, self._cascan, self._folder = built, cascan, folder
        with open_client(cascan.endpoint, "cloudformation") as cloudformation:
            uploaded = cloudformation.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
        original = folder / "uploaded.yaml"
        original.write_text(uploaded if isinstance(uploaded, str) else json.dumps(uploaded))
        self._template = read_template(original)
        for name, resource in self._template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Application":  # sam takes no address that is not AWS's
                resource["Properties"]["Location"] = str(built / name / "template.yaml")

    def change(self, **resources: dict[str, Any]) -> dict[str, Any]:
        """The template with properties of resources changed, or with resources added."""
        changed = json.loads(json.dumps(self._template))
        for name, body in resources.items():
            if name in changed["Resources"]:
                changed["Resources"][name]["Properties"] |= body
            else:
                changed["Resources"][name] = body
        return changed  # type: ignore[no-any-return]

    def edit_code(self, function: str, module: str, text: str) -> str:
        """The folder of a function's code with a text appended to a module."""
        folder = self._folder / function
        shutil.copytree(self._built / function, folder)
        source = folder / module
        shutil.rmtree(source.parent / "__pycache__", ignore_errors=True)  # it would be believed, not the source
        source.write_text(source.read_text() + text)
        return str(folder)

    def deploy(
        self, stack: str, template: Mapping[str, Any], parameters: Mapping[str, str], *, fails: bool = False
    ) -> None:
        path = self._folder / "template.json"
        path.write_text(json.dumps(template))
        overrides = [f'{name}="{value}"' for name, value in parameters.items()]
        run(
            [
                *("sam", "deploy", "--template-file", path, "--stack-name", stack, "--resolve-s3", "--no-progressbar"),
                *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset"),
                *("--tags", f"cascan-stack={stack}"),  # as deploy.py does
                *(["--parameter-overrides", *overrides] if overrides else []),
            ],
            self._cascan.environment,
            folder=self._folder,
            fails=fails,
        )


@pytest.fixture(scope="module")
def versions(built: Path, cascan: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return Versions(built, cascan, tmp_path_factory.mktemp("versions"))


def scan_one_port(cascan: Deployed) -> None:
    """A whole scan of a stack, with its one finding."""
    with socket.create_server((HOST, 0)) as service:
        port = service.getsockname()[1]
        answer = cascan("scan", HOST, "--timeout", "200", nmap=("-n", "-p", str(port)))

    assert (answer["scan"]["state"], answer["scan"]["outcome"]) == ("Done", "complete")
    ports = [f["attributes"]["port"] for f in answer["findings"] if f["category"] == "Open Port"]
    assert ports == [port]
    assert [report.split("/")[3] for report in answer["reports"]] == ["reports"]


# ==== what is built ===================================================================================================
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_imports_nothing_that_neither_its_zip_nor_lambda_holds(
    name: str, built: Path, emulator_python: Path, environment: Mapping[str, str]
) -> None:
    module = TEMPLATE["Resources"][name]["Properties"]["Handler"].rpartition(".")[0]
    script = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
importlib.import_module(sys.argv[2])
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*{name.partition(".")[0] for name, file in files.items() if "site-packages" in file})
"""
    printed = run([emulator_python, "-I", "-c", script, built / name, module], environment)

    assert set(printed.split()) <= GIVEN_BY_LAMBDA | TAKEN_IF_THERE


def test_the_rehearsed_copy_concedes_what_the_list_says_and_nothing_else(project: tuple[Path, Concessions]) -> None:
    folder, concessions = project
    assert concessions.used <= set(CONCESSIONS)
    assert concessions.used >= set(CONCESSIONS) - set(UNKNOWN_KEYS)  # of the keys, those that the templates have
    kept = (folder / "template.yaml").read_text() + (folder / "infra" / "storage.yaml").read_text()
    assert not [key for key in UNKNOWN_KEYS if key in kept]
    assert "aws:SecureTransport" in kept  # judged, since every call goes over https


# ==== a deployed stack ================================================================================================
def test_a_scan_of_the_deployed_stack_ends_with_its_finding(cascan: Deployed) -> None:
    scan_one_port(cascan)


def test_the_second_scan_of_a_series_knows_what_changed_and_a_rule_follows_it(cascan: Deployed) -> None:
    cascan("apply", "-f", "-", stdin=json.dumps(rule_document("again", labels={"of": "rehearsal"})))
    closes, opens = socket.create_server((HOST, 0)), socket.socket()
    opens.bind((HOST, 0))  # and does not listen yet
    with closes, opens:
        ports = [one.getsockname()[1] for one in (closes, opens)]
        request = {"name": "series", "parameters": ["-n", "-sT", "-p", ",".join(map(str, sorted(ports)))]}
        first = cascan.submit(**request)
        eventually(lambda: cascan.state_of(first) == "Done", timeout_s=120)
        closes.close()
        opens.listen()
        second = cascan.submit(**request, cascades={"matchLabels": {"of": "rehearsal"}})
        (child,) = eventually(lambda: cascan("tree", second).get("children"), timeout_s=120)
        eventually(lambda: cascan.state_of(child["id"]) == "Done", timeout_s=120)

    changes = {(change["kind"], change["port"]) for change in cascan("diff", second)}
    assert changes == {("PortClosed", ports[0]), ("PortOpened", ports[1])}
    assert child["rule"] == "again"


def test_a_halt_a_suspension_and_a_cancellation_reach_the_deployed_stack(cascan: Deployed) -> None:
    assert cascan("halt")["halted"]
    scan = cascan.submit()
    assert [cascan(word, scan)[0]["state"] for word in ("suspend", "resume")] == ["Suspended", "Scanning"]
    assert cascan("cancel", scan)[0]["state"] == "Cancelled"
    assert not cascan("halt", "--lift")["halted"]


def test_a_time_of_a_schedule_becomes_a_scan_and_a_changed_scan_type_another(cascan: Deployed) -> None:
    scan = {"scanType": "nmap", "parameters": ["-n", "-p", "9", HOST]}
    spec = {"schedule": "0 0 1 1 *", "retriggerOnScanTypeChange": True, "scanSpec": scan}
    head = {"apiVersion": "execution.securecodebox.io/v1", "kind": "ScheduledScan", "metadata": {"name": "yearly"}}
    cascan("apply", "-f", "-", stdin=json.dumps(head | {"spec": spec}))
    queue_url = cascan.outputs["ScheduleQueueUrl"]

    def done() -> list[str]:
        runs = cascan("schedule", "show", "yearly")["runs"]
        return [run["dueAt"] for run in runs if run["scan"] and run["scan"]["state"] == "Done"]

    with open_client(cascan.endpoint, "sqs") as sqs:
        sqs.send_message(QueueUrl=queue_url, MessageBody=build_target_input("yearly").replace(SCHEDULED_TIME, DUE_AT))
    eventually(lambda: len(done()) == 1, timeout_s=120)
    assert tick(cascan.endpoint)["retriggered"] == 0
    with another_scanner(cascan.endpoint):
        tick(cascan.endpoint)  # or the stack's own, which may have come first
    eventually(lambda: len(done()) >= 2, timeout_s=120)  # as it was before is a change too
    assert cascan("schedule", "show", "yearly")["lastSuccessfulScan"]


def test_the_tick_ends_an_overdue_scan_and_removes_one_whose_time_to_live_is_over(cascan: Deployed) -> None:
    cascan("halt")  # neither may begin before the test says so
    overdue = cascan.submit(activeDeadlineSeconds=1)
    short_lived = cascan.submit(parameters=["-n", "-p", "9"], ttlSecondsAfterFinished=0)

    def ends(holds: Callable[[], bool]) -> None:
        """By our tick, or by the stack's own, whichever comes first."""
        eventually(lambda: tick(cascan.endpoint) and holds(), timeout_s=120)

    ends(lambda: cascan.outcome_of(overdue) == "timed-out")
    cascan("halt", "--lift")
    ends(lambda: cascan.state_of(overdue) == "Errored")  # without a host to show for it
    ends(lambda: not cascan.state_of(short_lived))
    assert cascan.state_of(overdue)


# ==== the next versions ===============================================================================================
def test_new_code_is_deployed_while_scans_run_and_nothing_is_lost(cascan: Deployed, versions: Versions) -> None:
    with ExitStack() as services:
        service = services.enter_context(socket.create_server((HOST, 0)))  # accepts, and says nothing: -sV waits for it
        request = {"parameters": ["-n", "-sV", "--version-intensity", "0", "-p", str(service.getsockname()[1])]}
        running = [cascan.submit(**request) for _ in range(2)]
        eventually(lambda: all(cascan.state_of(scan_id) == "Scanning" for scan_id in running), timeout_s=120)
        new = {
            "OnMinutePassed": {"CodeUri": versions.edit_code("OnMinutePassed", "on_minute_passed/app.py", NEW_CODE)},
            "OnShardQueued": {"CodeUri": versions.edit_code("OnShardQueued", "on_shard_queued/app.py", "# new\n")},
        }
        with ThreadPoolExecutor(max_workers=1) as deployment:
            deployed = deployment.submit(versions.deploy, STACK, versions.change(**new), {})
            running.append(cascan.submit(**request))  # while the functions change
            deployed.result()
        running.append(cascan.submit(**request))  # by the new code
        eventually(lambda: {cascan.state_of(scan_id) for scan_id in running} == {"Done"}, timeout_s=200)

    assert {cascan.outcome_of(scan_id) for scan_id in running} == {"complete"}
    assert not [queue for queue in cascan("redrive", "list") if queue["messages"]]
    assert tick(cascan.endpoint)["rehearsed"] == "new"


def test_an_update_that_fails_is_rolled_back_to_the_code_before(cascan: Deployed, versions: Versions) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    broken = {
        "Type": "AWS::IAM::Policy",
        "DependsOn": "OnMinutePassed",  # which has the code of the first deployment again by then
        "Properties": {"PolicyName": "broken", "PolicyDocument": policy, "Roles": ["there-is-no-such-role"]},
    }
    versions.deploy(STACK, versions.change(Broken=broken), {}, fails=True)

    assert cascan.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert tick(cascan.endpoint)["rehearsed"] == "new"
    scan_one_port(cascan)


def test_a_second_stack_beside_the_first_works_and_knows_nothing_of_it(cascan: Deployed, versions: Versions) -> None:
    network = {"WorkerNetwork": "subnets", "WorkerSubnets": "subnet-1", "WorkerSecurityGroups": "sg-1"}
    scope = {"AllowedTargets": "127.0.0.0/8", "DeniedTargets": ",", "WorkerPublicIp": "DISABLED", "MaxWorkers": "0"}
    versions.deploy(SECOND, versions.change(), network | scope | PARAMETERS | {"PythonRuntime": RUNTIME})
    second = Deployed(SECOND, cascan.environment, cascan.endpoint)
    scan_one_port(second)
    assert len(second("scans")) == 1
    with open_client(cascan.endpoint, "cloudformation") as cloudformation:
        cloudformation.delete_stack(StackName=SECOND)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=SECOND, WaiterConfig={"Delay": 1, "MaxAttempts": 200}
        )
    assert cascan("scans")


def test_a_network_of_endpoints_alone_is_made_with_all_that_it_needs(
    cascan: Deployed, project: tuple[Path, Concessions]
) -> None:
    # The one network of the stack beside the public one that the emulator can make: it knows no NAT gateway.
    body = (project[0] / "infra" / "network.yaml").read_text()
    values = {"Variant": "endpoints", "WorkerEgress": "10.0.0.0/8", "Zones": "us-east-1a,us-east-1c"}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    with (
        open_client(cascan.endpoint, "cloudformation") as cloudformation,
        open_client(cascan.endpoint, "ec2") as ec2,
    ):
        cloudformation.create_stack(StackName="network", TemplateBody=body, Parameters=parameters)
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName="network", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        outputs = cloudformation.describe_stacks(StackName="network")["Stacks"][0]["Outputs"]
        vpc = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "VpcId")
        endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        cloudformation.delete_stack(StackName="network")
    assert len(endpoints) == 6
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"us-east-1a", "us-east-1c"}


# ==== the end =========================================================================================================
def test_make_destroy_leaves_bucket_and_table_says_so_and_its_commands_remove_them(
    cascan: Deployed, project: tuple[Path, Concessions]
) -> None:
    bucket, table = cascan.outputs["ReportBucketName"], cascan.outputs["ScanTableName"]
    script = [sys.executable, str(project[0] / "infra" / "deploy.py"), "destroy"]
    printed = run(script, {**cascan.environment, "STACK": STACK, "CONFIRM": "yes"}, folder=project[0])

    with (
        open_client(cascan.endpoint, "sqs") as sqs,
        open_client(cascan.endpoint, "s3") as s3,
        open_client(cascan.endpoint, "dynamodb") as dynamodb,
        open_client(cascan.endpoint, "cloudformation") as cloudformation,
    ):
        assert not sqs.list_queues().get("QueueUrls")  # nor anything else that costs by the hour
        statuses = {s["StackName"]: s["StackStatus"] for s in cloudformation.describe_stacks()["Stacks"]}
        assert not {STACK, f"{STACK}-images"} & set(statuses), statuses
        assert f"Kept: the bucket {bucket} and the table {table}" in printed
        assert s3.list_objects_v2(Bucket=bucket, Prefix="reports/")["KeyCount"]
        assert dynamodb.scan(TableName=table, Select="COUNT", Limit=1)["Count"]

        removals = [line.strip() for line in printed.partition("Kept: ")[2].splitlines() if line.startswith("  ")]
        for line in removals:
            run(["sh", "-c", line], cascan.environment)
        assert bucket not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
        assert table not in dynamodb.list_tables()["TableNames"]
