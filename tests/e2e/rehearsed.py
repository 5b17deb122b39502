"""What the rehearsal is made of: an emulator over https with authorisation, a copy of the project, and its commands.

The copy differs from the project in its templates alone, by the concessions below: what the emulator misjudges or does
not have. Each is asserted in the originals by tests/template, and docs/deploying.md lists them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cascan.aws.tables.scan_table import DynamoScanTable
from cascan_cli.local.aws import aws_environment, client_options, open_session
from cascan_cli.local.emulator import HEALTH_PATH, STOP_GRACE_S, emulator_environment
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.guard import HOST
from cascan_cli.local.process import Process
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import Template, inline_numbers, read_template
from tests.e2e.forked_command import run_forked
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = "python3.11"  # what the emulator runs on, whatever the template's default is; also its interpreter's name
SAM = shutil.which("sam", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".venv-sam" / "bin")]))
COPIED = ("functions", "layers", "infra")
BUILT = Path(".aws-sam") / "build"

# ==== concessions =====================================================================================================
# Condition keys that the emulator never fills: a correct call would be refused.
UNKNOWN_KEYS = ("events:source", "ecs:cluster", "dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:Select")
SOON_S = 40  # until a message comes back: longer than any invocation here
CONCESSIONS = {
    "events:source": "the emulator does not fill this condition key",
    "ecs:cluster": "the emulator does not fill this condition key",
    "dynamodb:LeadingKeys": "the emulator does not fill this condition key",
    "dynamodb:Attributes": "the emulator does not fill this condition key",
    "dynamodb:Select": "the emulator does not fill this condition key",
    "sqs:SendMessageBatch": "the emulator asks for an action of each call's own name, where SQS asks for SendMessage",
    "/opt": "the emulator does not mount layers: nmap runs where sam build put it",
    "retained": "the emulator deletes what a nested stack is to keep: the whole nested stack stays",
    "VisibilityTimeout": "the emulator ends invocations of a function that it updates: messages come back soon",
    "numbers": "the emulator keeps a number that is a parameter as text: the value stands in its place",
}


@dataclass
class Concessions:
    """Makes the copy of a template; `used` has what was conceded."""

    layer: Path  # where nmap will be
    parameters: Mapping[str, str]
    used: set[str] = field(default_factory=set)

    def concede(self, template: Template) -> Template:
        numbered = inline_numbers(template, self.parameters)
        if numbered != template:
            self.used.add("numbers")
        return self._change(numbered)  # type: ignore[no-any-return]

    def _change(self, value: Any) -> Any:
        match value:
            case {"Effect": "Allow", "Action": _}:
                return self._change_statement(value)
            case {"VisibilityTimeout": int(), **others}:
                self.used.add("VisibilityTimeout")
                return {"VisibilityTimeout": SOON_S, **self._change(others)}
            case dict():
                return {key: self._change(inner) for key, inner in value.items()}
            case list():
                return [self._change(inner) for inner in value]
            case str() if "/opt/bin/nmap" in value:
                self.used.add("/opt")
                return value.replace("/opt/", f"{self.layer}/")
        return value

    def _change_statement(self, statement: dict[str, Any]) -> dict[str, Any]:
        changed = dict(statement)
        conditions = json.dumps(statement.get("Condition", {}))
        unknown = {key for key in UNKNOWN_KEYS if key in conditions}
        if unknown:
            del changed["Condition"]
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if "sqs:SendMessage" in actions:
            changed["Action"] = [*actions, "sqs:SendMessageBatch"]
            unknown.add("sqs:SendMessageBatch")
        self.used |= unknown
        return changed


def copy_project(folder: Path, parameters: Mapping[str, str]) -> Concessions:
    """A copy of what is deployed, with its templates conceded."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    defaults = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    concessions = Concessions(folder / BUILT / "NmapLayer", {**defaults, **parameters})  # nested ones have their names
    for path in (ROOT / "template.yaml", *(ROOT / "infra").glob("*.yaml")):
        conceded = concessions.concede(read_template(path))
        if "Storage" in conceded["Resources"]:
            conceded["Resources"]["Storage"]["DeletionPolicy"] = "Retain"
            concessions.used.add("retained")
        (folder / path.relative_to(ROOT)).write_text(json.dumps(conceded))
    return concessions


# ==== the emulator ====================================================================================================
class SecureEndpoint(Endpoint, frozen=True):
    """An emulator with a certificate of its own, and without our guard.

    The sessions of roles, which authorisation checks, would not carry the guard's secret.
    """

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"


@contextmanager
def run_emulator(python: Path, state: StateDir) -> Iterator[SecureEndpoint]:
    """The emulator with this interpreter, roles enforced."""
    environment = emulator_environment(state) | {"AUTH": "true", "USE_SSL": "1", "PATH": os.defpath}
    del environment["AWS_SESSION_TOKEN"]
    environment["AWS_CA_BUNDLE"] = str(find_certificate(state))  # for the functions, which inherit this
    log = state.logs / "emulator.log"
    process = Process([str(python), "-m", "ministack"], environment, folder=state.tmp, log=log, grace_s=STOP_GRACE_S)
    try:
        eventually(lambda: process.exit_code() is not None or answers(state))
        assert process.exit_code() is None, log.read_text()
        yield SecureEndpoint(state.port(), "")
    finally:
        process.stop()


def find_certificate(state: StateDir) -> Path:
    return state.tmp / "ministack-tls" / "server.crt"


def answers(state: StateDir) -> bool:
    if not find_certificate(state).exists():
        return False
    try:
        trust = ssl.create_default_context(cafile=str(find_certificate(state)))
        with (
            socket.create_connection((HOST, state.port()), timeout=5) as plain,
            trust.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            connection.sendall(f"GET {HEALTH_PATH} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def client_environment(endpoint: Endpoint, state: StateDir, tools: Path) -> dict[str, str]:
    """For commands that call the emulator, with nothing of the person's own AWS configuration."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), mine.get("PATH", "")])
    ours = {"HOME": str(state.home), "PATH": path, "NO_PROXY": HOST, "SAM_CLI_TELEMETRY": "0"}
    return mine | ours | aws_environment(endpoint) | {"AWS_CA_BUNDLE": str(find_certificate(state))}


def install_tools(folder: Path, emulator_python: Path) -> None:
    """`aws` and `sam`, as infra/deploy.py calls them.

    sam delete cannot read the address of a nested template on an endpoint that is not AWS's (sam 1.170): CloudFormation
    deletes the stack in its place.
    """
    (folder / "aws").symlink_to(emulator_python.with_name("aws"))
    sam = folder / "sam"
    sam.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = delete ] || exec {SAM} "$@"\n'
        'aws cloudformation delete-stack --stack-name "$3" &&\n'
        'exec aws cloudformation wait stack-delete-complete --stack-name "$3"\n'
    )
    sam.chmod(0o755)


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    timeout_s: float = 300,
    stdin: str = "",
    folder: Path = ROOT,
    fails: bool = False,
) -> str:
    """What the command prints on stdout. The test fails with all its output when its exit code is unexpected."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert (done.returncode != 0) == fails, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# ==== a deployed stack ================================================================================================
@dataclass(frozen=True)
class Deployed:
    """A stack, with the command as a person turns it to that, and a look at its scans."""

    name: str
    environment: Mapping[str, str]
    endpoint: SecureEndpoint

    def __call__(self, command: str, *words: str, stdin: str = "", nmap: Sequence[str] = ()) -> Any:
        """The JSON that `cascan COMMAND words…` prints."""
        argv = [command, *words, "--stack", self.name, "--json", *(["--", *nmap] if nmap else [])]
        code, printed, problems = run_forked(
            argv, stdin=stdin.encode(), folder=ROOT, environment=self.environment, network=None, timeout_s=250
        )
        assert code == 0, f"cascan {' '.join(argv)} ended with {code}\n{printed.decode()}\n{problems.decode()}"
        return json.loads(printed)

    @cached_property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe()["Outputs"]}

    def describe(self) -> Any:
        with open_client(self.endpoint, "cloudformation") as cloudformation:
            return cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]

    def submit(self, **request: Any) -> str:
        """The id of the scan, which is planned."""
        answer = self("submit", "-f", "-", "--no-wait", stdin=json.dumps({"targets": [HOST], **request}))
        scan_id = str(answer["id"])
        assert eventually(lambda: self.state_of(scan_id))
        return scan_id

    def state_of(self, scan_id: str) -> str:
        """Empty: there is no such scan."""
        scan = DynamoScanTable(self.outputs["ScanTableName"]).get_scan(scan_id)
        return str(scan.state) if scan else ""

    def outcome_of(self, scan_id: str) -> str:
        scan = DynamoScanTable(self.outputs["ScanTableName"]).get_scan(scan_id)
        return str(scan.outcome) if scan else ""


@contextmanager
def open_client(endpoint: Endpoint, service: str) -> Iterator[Any]:
    client = open_session(endpoint).client(service, **client_options(endpoint))  # type: ignore[call-overload]
    try:
        yield client
    finally:
        client.close()
