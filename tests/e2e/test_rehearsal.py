"""The deployment as a person does it: sam build, sam deploy, a scan by the stack's name, and its removal.

Shows what only real artifacts and real roles can. The functions run from their zips, in an emulator whose venv holds
nothing of ours; AUTH=true has each role's policy decide what its function may do; nmap is the one in the layer that
`sam build` made. Needs sam (on PATH or in .venv-sam), Debian's archive, and PyPI or a mirror of it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cascan.schedules.due import SCHEDULED_TIME, build_target_input
from cascan_cli.local.aws import aws_environment, client_options, open_session
from cascan_cli.local.emulator import HEALTH_PATH, STOP_GRACE_S, emulator_environment
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.guard import HOST
from cascan_cli.local.process import Process
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import inline_numbers, read_template
from tests.e2e.ticks import another_scanner, tick
from tests.support.cascading import rule_document
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = read_template(ROOT / "template.yaml")
RUNTIME = "python3.11"  # what the emulator runs on, whatever the template's default is; also its interpreter's name
FUNCTIONS = sorted(name for name, resource in TEMPLATE["Resources"].items() if "Handler" in resource["Properties"])
EMULATOR = "ministack[full]==1.5.33"
STACK = "rehearsal"
DUE_AT = "2026-01-01T00:00:00Z"  # as EventBridge Scheduler writes it
GIVEN_BY_LAMBDA = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}
TAKEN_IF_THERE = {"certifi", "_distutils_hack"}  # by botocore, and by every interpreter that has setuptools

SAM = shutil.which("sam", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".venv-sam" / "bin")]))
LACKING = [
    reason
    for there, reason in (
        (SAM, "sam is neither on PATH nor in .venv-sam/bin: pip install aws-sam-cli there"),
        (shutil.which(RUNTIME), f"the emulator runs on {RUNTIME}, which is not on PATH"),
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
    """The interpreter of a venv with the emulator and what that needs; made once, and again when the pin changes."""
    folder = ROOT / ".venv-emulator"
    made_of, python = folder / "made-of", folder / "bin" / "python"
    if not made_of.exists() or made_of.read_text() != f"{RUNTIME} {EMULATOR}":
        run([RUNTIME, "-m", "venv", "--clear", folder], os.environ)
        run([python, "-m", "pip", "install", "--quiet", EMULATOR], os.environ)
        made_of.write_text(f"{RUNTIME} {EMULATOR}")
    return python


@pytest.fixture(scope="module")
def state(emulator_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateDir]:
    """Where the emulator runs, with its own interpreter and with the roles' policies enforced."""
    state = StateDir(tmp_path_factory.mktemp("state"))
    environment = emulator_environment(state) | {"AUTH": "true", "PATH": os.defpath}
    del environment["AWS_SESSION_TOKEN"]
    log = state.logs / "emulator.log"
    command = [str(emulator_python), "-m", "ministack"]
    process = Process(command, environment, folder=state.tmp, log=log, grace_s=STOP_GRACE_S)
    try:
        eventually(lambda: process.exit_code() is not None or answers(state.port()))
        assert process.exit_code() is None, log.read_text()
        yield state
    finally:
        process.stop()


@pytest.fixture(scope="module")
def environment(state: StateDir) -> dict[str, str]:
    """For commands that turn to the emulator, with nothing of the person's own AWS configuration."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), mine.get("PATH", "")])
    ours = {"HOME": str(state.home), "PATH": path, "NO_PROXY": HOST, "SAM_CLI_TELEMETRY": "0"}
    return mine | ours | aws_environment(unguarded(state))


@pytest.fixture(scope="module")
def built(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes: a template, a folder for each function, layer and nested template."""
    folder = tmp_path_factory.mktemp("built")
    version = RUNTIME.removeprefix("python")
    variables = {"PYTHON_VERSION": version, "XDG_CACHE_HOME": str(ROOT / ".cache")}  # what it downloads stays
    run([str(SAM), "build", "--build-dir", folder], dict(environment) | variables, timeout_s=900)
    return folder


@pytest.fixture(scope="module")
def stack(built: Path, environment: Mapping[str, str]) -> str:
    """The name of the deployed stack."""
    parameters = {
        "AllowedTargets": "127.0.0.0/8",
        "DeniedTargets": ",",
        "WorkerSubnets": "subnet-1",
        "MetricMath": "disabled",
        "PythonRuntime": RUNTIME,
        "SingleExecutions": "enabled",
        "WorkerSecurityGroups": "sg-1",
        "WorkerPublicIp": "DISABLED",
        "NmapCommand": bundled_nmap(built / "NmapLayer"),
    }
    for path in (built / "template.yaml", *built.glob("*/template.yaml")):
        path.write_text(json.dumps(conceded(inline_numbers(read_template(path), parameters))))
    deploy = [
        str(SAM),
        "deploy",
        "--template-file",
        str(built / "template.yaml"),
        "--stack-name",
        STACK,
        "--resolve-s3",
    ]
    capabilities = ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    overrides = [f'{name}="{value}"' for name, value in parameters.items()]
    run([*deploy, *capabilities, "--no-progressbar", "--parameter-overrides", *overrides], environment)
    return STACK


@dataclass(frozen=True)
class Deployed:
    """The command as a person turns it to the deployed stack."""

    stack: str
    environment: Mapping[str, str]

    def __call__(self, command: str, *words: str, stdin: str = "", nmap: Sequence[str] = ()) -> Any:
        """The JSON that `cascan COMMAND words…` prints."""
        ours = dict(self.environment) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "functions"), str(ROOT)])}
        argv = [sys.executable, "-m", "cascan_cli.main", command, *words, "--stack", self.stack, "--json"]
        return json.loads(run([*argv, *(["--", *nmap] if nmap else [])], ours, timeout_s=250, stdin=stdin))

    def submit(self, **request: Any) -> str:
        """The id of the scan, which is planned."""
        answer = self("submit", "-f", "-", "--no-wait", stdin=json.dumps({"targets": [HOST], **request}))
        scan_id = str(answer["id"])
        assert eventually(lambda: self.state_of(scan_id))
        return scan_id

    def state_of(self, scan_id: str) -> str:
        """Empty: there is no such scan."""
        return next((str(scan["state"]) for scan in self("scans", "--limit", "200") if scan["id"] == scan_id), "")


@pytest.fixture(scope="module")
def cascan(stack: str, environment: Mapping[str, str]) -> Deployed:
    return Deployed(stack, environment)


def conceded(value: Any) -> Any:
    """A template without what the emulator does not know under AUTH=true; tests/template/ asserts all of it.

    It has no key events:source; it asks for an action of each call's own name, where SQS asks for SendMessage for a
    batch; it speaks plain HTTP, which the policies of bucket and queues refuse.
    """
    match value:
        case {"Action": "events:PutEvents", "Condition": _}:
            return {key: inner for key, inner in value.items() if key != "Condition"}
        case {"Action": "sqs:SendMessage"}:
            return value | {"Action": ["sqs:SendMessage", "sqs:SendMessageBatch"]}
        case dict():
            return {key: conceded(inner) for key, inner in value.items() if not is_only_about_tls(inner)}
        case list():
            return [conceded(inner) for inner in value if not asks_for_tls(inner)]
    return value


def asks_for_tls(statement: Any) -> bool:
    return isinstance(statement, dict) and "aws:SecureTransport" in json.dumps(statement.get("Condition", ""))


def is_only_about_tls(resource: Any) -> bool:
    """A policy of a bucket or of queues without any other statement."""
    if not isinstance(resource, dict) or resource.get("Type") not in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        return False
    return all(asks_for_tls(statement) for statement in resource["Properties"]["PolicyDocument"]["Statement"])


def bundled_nmap(layer: Path) -> str:
    """The template's own command line for the nmap in the layer, with the layer where `sam build` put it."""
    variables = TEMPLATE["Resources"]["OnShardQueued"]["Properties"]["Environment"]["Variables"]
    _, command, _ = variables["NMAP_COMMAND"]["Fn::If"]
    return str(command).replace("/opt/", f"{layer}/")


def run(command: Sequence[str | Path], environment: Mapping[str, str], timeout_s: float = 300, stdin: str = "") -> str:
    """What the command prints on stdout; the test fails with all it said when its exit code is not 0."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def unguarded(state: StateDir) -> Endpoint:
    """This emulator has no guard: the roles' own sessions, which AUTH=true checks, would not carry its secret."""
    return Endpoint(state.port(), "")


def answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(f"GET {HEALTH_PATH} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def test_the_template_passes_sam_validate_with_its_lint(environment: Mapping[str, str]) -> None:
    assert "is a valid SAM Template" in run([str(SAM), "validate", "--lint"], environment)


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


def test_a_scan_of_the_deployed_stack_ends_with_its_finding(cascan: Deployed) -> None:
    with socket.create_server((HOST, 0)) as service:
        port = service.getsockname()[1]
        answer = cascan("scan", HOST, "--timeout", "200", nmap=("-n", "-p", str(port)))

    assert (answer["scan"]["state"], answer["scan"]["outcome"]) == ("Done", "complete")
    ports = [f["attributes"]["port"] for f in answer["findings"] if f["category"] == "Open Port"]
    assert ports == [port]
    assert [report.split("/")[3] for report in answer["reports"]] == ["reports"]


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


def test_a_time_of_a_schedule_becomes_a_scan_and_a_changed_scan_type_another(cascan: Deployed, state: StateDir) -> None:
    scan = {"scanType": "nmap", "parameters": ["-n", "-p", "9", HOST]}
    spec = {"schedule": "0 0 1 1 *", "retriggerOnScanTypeChange": True, "scanSpec": scan}
    head = {"apiVersion": "execution.securecodebox.io/v1", "kind": "ScheduledScan", "metadata": {"name": "yearly"}}
    cascan("apply", "-f", "-", stdin=json.dumps(head | {"spec": spec}))
    session, options = open_session(unguarded(state)), client_options(unguarded(state))
    stacks, sqs = session.client("cloudformation", **options), session.client("sqs", **options)
    outputs = stacks.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    (queue_url,) = [output["OutputValue"] for output in outputs if output["OutputKey"] == "ScheduleQueueUrl"]
    for client in (stacks, sqs):
        client.close()

    def done() -> list[str]:
        runs = cascan("schedule", "show", "yearly")["runs"]
        return [run["dueAt"] for run in runs if run["scan"] and run["scan"]["state"] == "Done"]

    sqs.send_message(QueueUrl=queue_url, MessageBody=build_target_input("yearly").replace(SCHEDULED_TIME, DUE_AT))
    eventually(lambda: len(done()) == 1, timeout_s=120)
    assert tick(unguarded(state))["retriggered"] == 0
    with another_scanner(unguarded(state)):
        tick(unguarded(state))  # or the stack's own, which may have come first
    eventually(lambda: len(done()) >= 2, timeout_s=120)  # as it was before is a change too
    assert cascan("schedule", "show", "yearly")["lastSuccessfulScan"]


def test_the_tick_ends_an_overdue_scan_and_removes_one_whose_time_to_live_is_over(
    cascan: Deployed, state: StateDir
) -> None:
    def outcomes() -> dict[str, str]:
        return {scan["id"]: scan["outcome"] for scan in cascan("scans")}

    cascan("halt")  # neither may begin before the test says so
    overdue = cascan.submit(activeDeadlineSeconds=1)
    short_lived = cascan.submit(parameters=["-n", "-p", "9"], ttlSecondsAfterFinished=0)

    def ends(holds: Callable[[], bool]) -> None:
        """By our tick, or by the stack's own, whichever comes first."""
        eventually(lambda: tick(unguarded(state)) and holds(), timeout_s=120)

    ends(lambda: outcomes()[overdue] == "timed-out")
    cascan("halt", "--lift")
    ends(lambda: cascan.state_of(overdue) == "Errored")  # without a host to show for it
    ends(lambda: not cascan.state_of(short_lived))
    assert cascan.state_of(overdue)


def test_the_deployed_stack_is_removed_without_a_remainder_that_costs_by_the_hour(stack: str, state: StateDir) -> None:
    # Not by `sam delete`: sam 1.170 cannot read the address of a nested template on an endpoint that is not AWS's.
    session, options = open_session(unguarded(state)), client_options(unguarded(state))
    cloudformation, sqs = session.client("cloudformation", **options), session.client("sqs", **options)
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 200}
    )

    assert not sqs.list_queues().get("QueueUrls")
    cloudformation.close()
    sqs.close()
