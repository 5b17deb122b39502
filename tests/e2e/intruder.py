"""What another user of the machine, or a web page, would ask of the stack's emulator: one call of each kind we use.

`python -m tests.e2e.intruder PORT UID STATE_DIR` makes all of them, with every excuse for a secret, as that user; and
prints as JSON the answers, and what it could read of the stack's files and processes. Standard library only.
"""

from __future__ import annotations

import base64
import encodings.idna  # noqa: F401 - the interpreter's files may be out of reach of the other user
import http.client
import io
import json
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
CODE = "def handler(event, context):\n    return {'ran': True}\n"
NAME = "intruder"
JSON_1_0, JSON_1_1, FORM = (
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
    "application/x-www-form-urlencoded",
)
FUNCTIONS = "/2015-03-31/functions"
Call = tuple[str, str, dict[str, str], str]


def function_body() -> str:
    """A request body that makes a function."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", CODE)
    role = f"arn:aws:iam::000000000000:role/{NAME}"
    code = {"ZipFile": base64.b64encode(packed.getvalue()).decode()}
    names = {"FunctionName": NAME, "Runtime": "python3.11", "Handler": "code.handler", "Role": role}
    return json.dumps({**names, "Code": code})


def signed(service: str) -> str:
    """An Authorization header that names the service, which is what the emulator goes by."""
    scope = f"Credential=test/20260101/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=00"


def target(service: str, operation: str, body: str = "{}", content_type: str = JSON_1_1) -> Call:
    return (
        "POST",
        "/",
        {"X-Amz-Target": operation, "Content-Type": content_type, "Authorization": signed(service)},
        body,
    )


def query(service: str, action: str) -> Call:
    return ("POST", "/", {"Content-Type": FORM, "Authorization": signed(service)}, f"Action={action}")


CALLS: dict[str, Call] = {
    "create a function": ("POST", FUNCTIONS, {"Content-Type": "text/plain"}, function_body()),
    "invoke a function": ("POST", f"{FUNCTIONS}/{NAME}/invocations", {}, "{}"),
    "list functions": ("GET", FUNCTIONS, {}, ""),
    "list tables": target("dynamodb", "DynamoDB_20120810.ListTables", content_type=JSON_1_0),
    "list queues": target("sqs", "AmazonSQS.ListQueues", content_type=JSON_1_0),
    "list queues, the old way": query("sqs", "ListQueues"),
    "list buckets": ("GET", "/", {"Authorization": signed("s3")}, ""),
    "make a bucket": ("PUT", f"/{NAME}", {"Authorization": signed("s3")}, ""),
    "list rules": target("events", "AWSEvents.ListRules"),
    "list schedules": ("GET", "/schedules", {"Authorization": signed("scheduler")}, ""),
    "list clusters": target("ecs", "AmazonEC2ContainerServiceV20141113.ListClusters"),
    "list stacks": query("cloudformation", "ListStacks"),
    "list roles": query("iam", "ListRoles"),
    "who am I": query("sts", "GetCallerIdentity"),
    "list log groups": target("logs", "Logs_20140328.DescribeLogGroups"),
    "list alarms": query("monitoring", "DescribeAlarms"),
    "health": ("GET", "/_ministack/health", {}, ""),
    "another health": ("GET", "/_localstack/health", {}, ""),
    "configuration": ("POST", "/_ministack/config", {"Content-Type": "application/json"}, "{}"),
    "reset": ("POST", "/_ministack/reset", {}, ""),
}
EXCUSES: dict[str, dict[str, str]] = {
    "none": {},
    "a wrong secret": {"X-Amz-Security-Token": "A" * 43},
    "an empty secret": {"X-Amz-Security-Token": ""},
    "an Origin": {"Origin": "http://other.example"},
    "another Host": {"Host": "other.example"},
}


def ask(port: int, call: Call, excuse: dict[str, str]) -> int:
    method, path, headers, body = call
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request(method, path, body.encode(), headers | excuse)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def answers(
    port: int, excuses: Mapping[str, dict[str, str]] = EXCUSES, calls: Mapping[str, Call] = CALLS
) -> dict[str, int]:
    """The status of every call under every excuse."""
    return {
        f"{what}, with {excuse}": ask(port, call, headers)
        for what, call in calls.items()
        for excuse, headers in excuses.items()
    }


def readable(root: Path) -> list[str]:
    """What of the state directory, and of the environment of its processes, this user can read."""
    found = []
    for path in (root / name for name in ("secret", "machine.json", "logs/emulator.log")):
        try:
            found += [str(path)] if path.read_bytes() else []
        except OSError:
            continue
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [str(process)] if str(root).encode() in (process / "environ").read_bytes() else []
        except OSError:
            continue
    return found


def command_lines() -> str:
    """Every command line of the machine, which everybody may read."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def main(port: str, uid: str, root: str) -> None:
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
    report: dict[str, Any] = {"uid": os.getuid(), "answers": answers(int(port)), "readable": readable(Path(root))}
    sys.stdout.write(json.dumps(report | {"command lines": command_lines()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
