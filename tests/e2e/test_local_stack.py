"""The stack on one machine, with the real emulator: it comes up, keeps what it holds, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cascan_cli.errors import DeployFailed, EmulatorFailed, PortTaken, StackBusy, StackUnguarded
from cascan_cli.local.emulator import GUARD
from cascan_cli.local.keep import KEEP_VARIABLE
from cascan_cli.local.lock import hold_lock
from cascan_cli.local.stack import LocalStack, down, local_stack, status, up
from cascan_cli.local.state import StateDir
from cascan_cli.local.supervisor import EARLIER_MODULE
from tests.support.waiting import WITHIN_S, eventually

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String}
  Broken: {Type: String, Default: "no"}
  Idle: {Type: String, Default: "no"}
Conditions:
  IsBroken: !Equals [!Ref Broken, "yes"]
Resources:
  Inbox: {Type: AWS::SQS::Queue}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: echo.handler
      Runtime: python3.11
      Environment: {Variables: {OUTBOX: !GetAtt Parts.Outputs.OutboxUrl, GREETING: !Ref Greeting}}
      Events:
        Message: {Type: SQS, Properties: {Queue: !GetAtt Inbox.Arn}}
        Stopped: {Type: EventBridgeRule, Properties: {Pattern: {source: [aws.ecs], detail: {lastStatus: [STOPPED]}}}}
        Started: {Type: EventBridgeRule, Properties: {Pattern: {source: [aws.ecs], detail: {lastStatus: [RUNNING]}}}}
  Parts:
    Type: AWS::Serverless::Application
    Properties: {Location: infra/parts.yaml, Parameters: {Idle: !Ref Idle}}
  Wrong:
    Type: AWS::CloudFormation::Stack
    Condition: IsBroken
    Properties: {TemplateURL: "https://s3.amazonaws.com/nowhere/nothing"}
Outputs:
  InboxUrl: {Value: !Ref Inbox}
  OutboxUrl: {Value: !GetAtt Parts.Outputs.OutboxUrl}
  OutboxArn: {Value: !GetAtt Parts.Outputs.OutboxArn}
  Store: {Value: !GetAtt Parts.Outputs.StoreName}
  Cluster: {Value: !GetAtt Parts.Outputs.Cluster}
  Task: {Value: !GetAtt Parts.Outputs.Task}
  Greeting: {Value: !Ref Greeting}
"""
PARTS = """
Parameters: {Idle: {Type: String}}
Resources:
  Outbox: {Type: AWS::SQS::Queue}
  Store: {Type: AWS::S3::Bucket}
  Cluster: {Type: AWS::ECS::Cluster}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      RequiresCompatibilities: [FARGATE]
      Cpu: "256"
      Memory: "512"
      ContainerDefinitions:
        - Name: worker
          Image: example/worker
          Command: [python3, -m, worker]
          StopTimeout: 2
          Environment: [{Name: LANE, Value: raw}, {Name: IDLE, Value: !Ref Idle}]
Outputs:
  OutboxUrl: {Value: !Ref Outbox}
  OutboxArn: {Value: !GetAtt Outbox.Arn}
  StoreName: {Value: !Ref Store}
  Cluster: {Value: !Ref Cluster}
  Task: {Value: !Ref Task}
"""
ECHO = """
import json, os, boto3

def handler(event, context):
    for record in event["Records"] if "Records" in event else [{"body": json.dumps(event["detail"])}]:
        body = {"text": os.environ["GREETING"] + " " + record["body"], "environment": dict(os.environ)}
        boto3.client("sqs").send_message(QueueUrl=os.environ["OUTBOX"], MessageBody=json.dumps(body))
"""
WORKER = """
import json, os, pathlib, signal, subprocess, sys, time

started = pathlib.Path(os.environ["STARTED"])
with started.open("a") as log:
    log.write(json.dumps({"pid": os.getpid(), "environment": dict(os.environ), "argv": sys.argv}) + "\\n")
if os.environ["IDLE"] == "yes":
    signal.signal(signal.SIGTERM, lambda *_: started.with_suffix(".stopped").touch())
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    started.with_suffix(".ready").touch()
    time.sleep(600)
    time.sleep(600)
"""
HOLDER = """
import signal, sys, time
from pathlib import Path
from cascan_cli.local.stack import local_stack

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell begins with it ignored
with local_stack(Path(sys.argv[1]), {"Greeting": "hello"}, template=Path(sys.argv[2])):
    print("up", flush=True)
    time.sleep(600)
"""
EARLIER = """
import sys
from importlib.util import find_spec
from pathlib import Path
from cascan_cli.local import emulator, endpoint, supervisor

emulator.GUARD = Path(find_spec("ministack.__main__").origin)
endpoint.Endpoint.listener = lambda _: endpoint.Listener.GUARD  # nobody asked in those days
sys.exit(supervisor.main(sys.argv[1]))
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


def write_project(project: Path) -> Path:
    """Its template."""
    for name, content in {
        "template.yaml": TEMPLATE,
        "infra/parts.yaml": PARTS,
        "functions/echo.py": ECHO,
        "functions/worker.py": WORKER,
    }.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return project / "template.yaml"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a stack that was deployed and has ended: a deployment is half the time of most tests."""
    folder = tmp_path_factory.mktemp("deployed")
    with running(folder / "state", write_project(folder / "project")):
        pass
    return folder / "state"


@pytest.fixture
def new_state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state directory without a stack; the test fails when a process of it is left."""
    path = tmp_path / "state"
    yield path
    down(path)
    eventually(lambda: not processes_of(path))


@pytest.fixture
def state_dir(new_state_dir: Path, deployed: Path) -> Path:
    """A state directory with a stack that is deployed, and down."""
    shutil.copytree(deployed, new_state_dir)
    return new_state_dir


def processes_of(state_dir: Path) -> list[str]:
    """What runs with the state directory in its environment or command line, but for ourselves."""
    mark, found = os.fsencode(state_dir), []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if mark in (process / "environ").read_bytes() + (process / "cmdline").read_bytes():
                    found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
            except OSError:
                continue  # it ended, or is not ours to see
    return found


class Echo:
    """Talks to the function through its queues."""

    def __init__(self, stack: LocalStack) -> None:
        self.sqs: SQSClient = stack.session().client("sqs", **stack.client_options())
        self.outputs = stack.outputs

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self.sqs.close()

    def say(self, text: str) -> None:
        self.sqs.send_message(QueueUrl=self.outputs["InboxUrl"], MessageBody=text)

    def answer(self) -> dict[str, object]:
        answer: dict[str, object] = json.loads(eventually(self._received))
        return answer

    def _received(self) -> str:
        url = self.outputs["OutboxUrl"]
        for message in self.sqs.receive_message(QueueUrl=url).get("Messages", []):
            # Or a slow test would receive it a second time
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message.get("Body", "")
        return ""


def running(state_dir: Path, template: Path, **parameters: str) -> AbstractContextManager[LocalStack]:
    return local_stack(state_dir, {"Greeting": "hello"} | parameters, template=template)


def test_a_message_goes_through_and_afterwards_nothing_is_left(new_state_dir: Path, template: Path) -> None:
    with running(new_state_dir, template) as stack, Echo(stack) as echo:
        echo.say("world")
        assert echo.answer()["text"] == "hello world"
        assert not stack.attached
        assert len(processes_of(new_state_dir)) >= 3  # keeper, emulator, the function's process

    assert processes_of(new_state_dir) == []


def test_the_persons_own_configuration_stays_outside(
    new_state_dir: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("A_SECRET", "hunter2")

    with running(new_state_dir, template) as stack, Echo(stack) as echo:
        echo.say("world")
        environment = echo.answer()["environment"]

    assert isinstance(environment, dict)
    assert not {"AWS_PROFILE", "HTTP_PROXY", "A_SECRET"} & set(environment)
    assert Path(environment["HOME"]) == new_state_dir / "home"
    assert environment["AWS_ENDPOINT_URL"] == stack.endpoint.url


def test_the_emulator_listens_on_the_loopback_interface_alone(state_dir: Path, template: Path) -> None:
    with running(state_dir, template) as stack:
        pids = [int(line.split()[0]) for line in processes_of(state_dir)]
        assert {listener for pid in pids for listener in listeners_of(pid)} == {("127.0.0.1", stack.state.port())}


def listeners_of(pid: int) -> set[tuple[str, int]]:
    """The addresses on which a process listens. Source: proc(5), net/tcp: state 0A is LISTEN."""
    inodes, found = set(), set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(str(fd.readlink()))
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]) if name == "tcp" else address, int(port, 16)))
    return found


def test_a_taken_port_is_named_with_the_way_out(new_state_dir: Path, template: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", StateDir(new_state_dir).port()))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} .* is taken by another program.*--state-dir"):
            running(new_state_dir, template).__enter__()
    assert processes_of(new_state_dir) == []

    with running(new_state_dir, template) as stack:
        assert stack.state.port() == port


def test_a_second_run_finds_what_the_first_left_and_deploys_nothing(new_state_dir: Path, template: Path) -> None:
    with running(new_state_dir, template) as first, Echo(first) as echo:
        echo.say("before")
        eventually(lambda: outbox_size(echo) == 1)
    deployed_at = (new_state_dir / "deployment.json").stat().st_mtime_ns

    with running(new_state_dir, template) as second, Echo(second) as echo:
        assert echo.answer()["text"] == "hello before"
        echo.say("after")
        assert echo.answer()["text"] == "hello after"
        assert not second.needs_rebuild

    assert second.outputs == first.outputs
    assert (new_state_dir / "deployment.json").stat().st_mtime_ns == deployed_at


def test_a_state_that_an_earlier_version_left_is_gone_on_with_and_closed_to_others(
    state_dir: Path, template: Path
) -> None:
    with running(state_dir, template) as first, Echo(first) as echo:
        echo.say("before")
        eventually(lambda: outbox_size(echo) == 1)
    (state_dir / "secret").unlink()  # that version had none, and left to the umask who may read
    for path in (state_dir, *state_dir.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055)

    with running(state_dir, template) as second, Echo(second) as echo:
        assert echo.answer()["text"] == "hello before"
        assert second.outputs == first.outputs

    assert [path for path in (state_dir, *state_dir.rglob("*")) if path.stat().st_mode & 0o077] == []


@contextmanager
def kept_up_by_an_earlier_version(state_dir: Path, template: Path) -> Iterator[int]:
    """The process that keeps a stack up whose emulator has no guard."""
    order = {"state_dir": str(state_dir), "template": str(template), "parameters": {"Greeting": "hello"}}
    argv = [sys.executable, "-c", EARLIER, json.dumps(order), EARLIER_MODULE]  # by which its process is known
    with subprocess.Popen(argv, cwd=ROOT) as supervisor:
        try:
            eventually(lambda: supervisor.poll() is not None or (state_dir / "running.json").exists())
            yield supervisor.pid
        finally:
            supervisor.terminate()


def test_a_stack_that_an_earlier_version_keeps_up_is_replaced_with_all_it_holds(
    state_dir: Path, template: Path
) -> None:
    with kept_up_by_an_earlier_version(state_dir, template) as pid:
        with pytest.raises(StackUnguarded, match=rf"process {pid} .*cascan local up"):
            running(state_dir, template).__enter__()
        deployed = StateDir(state_dir).deployment()

        started = up(state_dir, {"Greeting": "hello"}, template=template)

    assert started.running
    assert started.running.pid != pid
    assert deployed
    assert started.deployed == deployed.outputs
    with running(state_dir, template) as stack, Echo(stack) as echo:
        echo.say("world")
        assert echo.answer()["text"] == "hello world"


def outbox_size(echo: Echo) -> int:
    attributes = echo.sqs.get_queue_attributes(
        QueueUrl=echo.outputs["OutboxUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def test_other_parameters_and_other_code_are_deployed_over_what_is_there(state_dir: Path, template: Path) -> None:
    with running(state_dir, template) as first:
        assert first.outputs["Greeting"] == "hello"

    code = template.parent / "functions" / "echo.py"
    code.write_text(code.read_text().replace('" "', '", dear "'))
    with running(state_dir, template, Greeting="bye") as second, Echo(second) as echo:
        echo.say("world")
        assert echo.answer()["text"] == "bye, dear world"

    assert second.outputs["InboxUrl"] == first.outputs["InboxUrl"]


def test_a_parameter_of_a_nested_template_can_change(state_dir: Path, template: Path) -> None:
    with running(state_dir, template) as first:
        pass
    with running(state_dir, template, Idle="maybe") as second:
        pass

    assert second.outputs["OutboxArn"] == first.outputs["OutboxArn"]
    assert second.outputs["Task"] != first.outputs["Task"]


def test_a_resource_that_fails_is_named_and_the_next_attempt_is_not_spoilt(new_state_dir: Path, template: Path) -> None:
    with pytest.raises(DeployFailed, match="Wrong"):
        running(new_state_dir, template, Broken="yes").__enter__()
    assert processes_of(new_state_dir) == []

    with running(new_state_dir, template) as stack:
        assert stack.outputs["Greeting"] == "hello"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_by_a_signal_leaves_nothing(
    state_dir: Path, template: Path, number: signal.Signals
) -> None:
    with holder(state_dir, template) as command:
        command.send_signal(number)
        assert command.wait(WITHIN_S) != 0
        eventually(lambda: not processes_of(state_dir))

    with running(state_dir, template) as stack:
        assert not stack.needs_rebuild  # the keeper ended the emulator gracefully, also after SIGKILL


def test_a_command_that_is_interrupted_while_the_emulator_starts_loses_nothing_that_it_kept(
    state_dir: Path, template: Path
) -> None:
    with running(state_dir, template) as stack, Echo(stack) as echo:
        echo.say("before")
        eventually(lambda: outbox_size(echo) == 1)
    with starting(state_dir, template) as command:
        eventually(lambda: any(GUARD.name in line and "keeper" not in line for line in processes_of(state_dir)))
        command.send_signal(signal.SIGINT)
        assert command.wait(WITHIN_S) != 0

    with running(state_dir, template) as stack, Echo(stack) as echo:
        assert not stack.needs_rebuild
        assert echo.answer()["text"] == "hello before"


@contextmanager
def holder(state_dir: Path, template: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the stack up for the length of one command."""
    with starting(state_dir, template) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "up\n"
        yield command


@contextmanager
def starting(state_dir: Path, template: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is about to have it up."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, state_dir, template], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def test_a_killed_emulator_is_noticed_and_the_next_run_knows_its_tables_are_behind(
    state_dir: Path, template: Path
) -> None:
    with running(state_dir, template) as killed, store(killed) as s3:
        s3.put_object(Bucket=killed.outputs["Store"], Key="report", Body=b"what nmap wrote")
        for line in processes_of(state_dir):
            if GUARD.name in line and "keeper" not in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
    assert processes_of(state_dir) == []

    with running(state_dir, template) as stack, Echo(stack) as echo:
        assert stack.needs_rebuild
        echo.say("again")
        assert echo.answer()["text"] == "hello again"
        # The new stack has a new bucket; the old one is still there, under the name it had.
        with store(stack) as s3, s3.get_object(Bucket=killed.outputs["Store"], Key="report")["Body"] as report:
            assert report.read() == b"what nmap wrote"


def store(stack: LocalStack) -> AbstractContextManager[S3Client]:
    return closing(stack.session().client("s3", **stack.client_options()))


def test_a_second_command_waits_for_the_first_and_says_so(state_dir: Path, template: Path) -> None:
    told: list[str] = []
    with holder(state_dir, template) as command:
        with pytest.raises(StackBusy, match=f"process {command.pid} uses .*--state-dir"):
            local_stack(
                state_dir, {"Greeting": "hello"}, template=template, print_message=told.append, busy_timeout_s=0.2
            ).__enter__()
        assert told == [f"waiting for process {command.pid}, which uses {state_dir}"]
        command.send_signal(signal.SIGINT)

        with running(state_dir, template) as stack:
            assert not stack.attached


class Tasks:
    """Runs tasks and asks after them."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self.ecs: ECSClient = stack.session().client("ecs", **stack.client_options())
        self.cluster, self.definition = stack.outputs["Cluster"], stack.outputs["Task"]
        self.started = folder / "started"

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.ecs.close()

    def run(self, **environment: str) -> str:
        variables = environment | {"STARTED": str(self.started)}
        answer = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=self.definition,
            overrides={
                "containerOverrides": [
                    {"name": "worker", "environment": [{"name": n, "value": v} for n, v in variables.items()]}
                ]
            },
        )
        return answer["tasks"][0]["taskArn"]

    def stopped(self, arn: str) -> TaskTypeDef | None:
        task = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0]
        return task if task["lastStatus"] == "STOPPED" else None

    def starts(self) -> list[dict[str, dict[str, str]]]:
        return [json.loads(line) for line in self.started.read_text().splitlines()] if self.started.exists() else []


def test_a_task_runs_once_with_its_overrides_and_ends_stopped(
    state_dir: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    with running(state_dir, template) as stack, Tasks(stack, tmp_path) as tasks:
        arn = tasks.run(LANE="connect")
        task = eventually(lambda: tasks.stopped(arn))
        assert task
        assert task["stoppedReason"] == "the command ended with exit code 0"
        second = tasks.run()
        eventually(lambda: tasks.stopped(second))

    starts = tasks.starts()
    assert [start["environment"]["LANE"] for start in starts] == ["connect", "raw"]
    assert starts[0]["environment"]["AWS_ENDPOINT_URL"] == stack.endpoint.url
    assert "A_SECRET" not in starts[0]["environment"]


def test_whoever_listens_for_stopped_tasks_is_told_once(state_dir: Path, template: Path, tmp_path: Path) -> None:
    with running(state_dir, template) as stack, Tasks(stack, tmp_path) as tasks, Echo(stack) as echo:
        arn = tasks.run()
        told = json.loads(str(echo.answer()["text"]).removeprefix("hello "))
        assert (told["taskArn"], told["clusterArn"].rpartition("/")[2]) == (arn, tasks.cluster)
        assert [(of["name"], of["exitCode"]) for of in told["containers"]] == [("worker", 0)]
        assert tasks.stopped(arn)
        echo.say("and that is all")
        assert echo.answer()["text"] == "hello and that is all"


def test_a_task_that_is_stopped_from_outside_gets_sigterm_and_then_sigkill_with_all_it_started(
    state_dir: Path, template: Path, tmp_path: Path
) -> None:
    with running(state_dir, template) as stack, Tasks(stack, tmp_path) as tasks:
        before = len(processes_of(state_dir))
        arn = tasks.run(IDLE="yes")
        eventually(lambda: tasks.started.with_suffix(".ready").exists())
        assert len(processes_of(state_dir)) >= before + 3  # keeper, worker, and what the worker started
        tasks.ecs.stop_task(cluster=tasks.cluster, task=arn, reason="enough")
        eventually(lambda: tasks.started.with_suffix(".stopped").exists())
        eventually(lambda: len(processes_of(state_dir)) == before)

    assert len(tasks.starts()) == 1


def test_a_task_that_still_runs_ends_with_the_stack(state_dir: Path, template: Path, tmp_path: Path) -> None:
    with running(state_dir, template) as stack, Tasks(stack, tmp_path) as tasks:
        arn = tasks.run(IDLE="yes")
        eventually(tasks.starts)
    assert processes_of(state_dir) == []

    with running(state_dir, template) as stack, Tasks(stack, tmp_path) as tasks:
        assert tasks.stopped(arn)
    assert len(tasks.starts()) == 1


def test_a_stack_that_is_up_is_attached_to_and_stays_until_down(state_dir: Path, template: Path) -> None:
    assert status(state_dir).running is None
    started = up(state_dir, {"Greeting": "hello"}, template=template)
    assert started.running
    assert up(state_dir, {"Greeting": "hello"}, template=template) == started

    with running(state_dir, template) as stack, Echo(stack) as echo:
        assert stack.attached
        echo.say("world")
        assert echo.answer()["text"] == "hello world"
    with running(state_dir, template, Greeting="bye") as stack, Echo(stack) as echo:
        echo.say("world")
        assert echo.answer()["text"] == "bye world"

    kept = local_stack(state_dir, {"Greeting": "hello"}, template=template, keeps_parameters=True)
    with kept as stack, Echo(stack) as echo:
        echo.say("world")
        assert echo.answer()["text"] == "bye world"

    assert status(state_dir).running == started.running
    assert down(state_dir)
    assert processes_of(state_dir) == []
    assert not down(state_dir)


def test_a_stack_stays_up_for_the_next_command_and_then_ends_by_itself(
    state_dir: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEEP_VARIABLE, "1")
    with running(state_dir, template) as stack, Echo(stack) as echo:
        assert not stack.attached
        first = status(state_dir)
        assert first.running
        assert first.running.keep_s == 1
        assert first.ends_at is None  # it is used
        echo.say("world")
        assert echo.answer()["text"] == "hello world"
    with running(state_dir, template) as stack:
        second = status(state_dir)
        assert not stack.attached
    assert second.running == first.running
    eventually(lambda: not processes_of(state_dir))
    assert status(state_dir).running is None
    assert StateDir(state_dir).exit_status.read_text() == "0"  # everything is saved


def test_attaching_loads_no_aws_library(state_dir: Path, template: Path) -> None:
    up(state_dir, {"Greeting": "hello"}, template=template)
    attach = textwrap.dedent("""
        import sys
        from pathlib import Path
        from cascan_cli.local.stack import local_stack
        with local_stack(Path(sys.argv[1]), {"Greeting": "hello"}, template=Path(sys.argv[2])) as stack:
            print(stack.attached, {"boto3", "botocore", "yaml"} & set(sys.modules))
    """)
    answer = subprocess.run(
        [sys.executable, "-c", attach, state_dir, template], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "True set()\n"


def test_a_stack_that_does_not_come_up_says_why_and_leaves_nothing(new_state_dir: Path, template: Path) -> None:
    with pytest.raises(EmulatorFailed, match="Wrong"):
        up(new_state_dir, {"Greeting": "hello", "Broken": "yes"}, template=template)

    assert processes_of(new_state_dir) == []
    assert status(new_state_dir).running is None


def test_a_stack_whose_state_directory_was_deleted_ends_and_leaves_nothing(state_dir: Path, template: Path) -> None:
    assert up(state_dir, {"Greeting": "hello"}, template=template).running
    shutil.rmtree(state_dir)

    eventually(lambda: not processes_of(state_dir))
    assert [str(path) for path in state_dir.rglob("*")] == []


def test_a_supervisor_that_was_killed_is_not_attached_to(state_dir: Path, template: Path) -> None:
    started = up(state_dir, {"Greeting": "hello"}, template=template)
    assert started.running
    os.kill(started.running.pid, signal.SIGKILL)
    eventually(lambda: status(state_dir).running is None)

    with running(state_dir, template) as stack:
        assert not stack.attached
        assert not stack.needs_rebuild
    with hold_lock(stack.state.lock, timeout_s=WITHIN_S):
        assert status(state_dir).running is None
