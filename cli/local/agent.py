"""The task agent: runs what RunTask asked for as processes of this machine, since the emulator runs none.

Asks the public ECS API for running tasks, starts the command of each once, and stops the task when the command ends,
which whoever listens for stopped tasks is told; a task that is stopped from outside gets SIGTERM, and SIGKILL after its
stopTimeout.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from cli.local.announce import Listeners, stopped
from cli.local.aws import aws_environment, bare_environment, client_options, open_session
from cli.local.process import Process
from cli.local.state import StateDir
from cli.local.task import NotRunnable, TaskCommand, task_command

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef

POLL_S = 0.2
FIRST_LOOK_S = 1.0  # no task is asked for sooner, and the first scan needs the processor
IDLE_POLL_S = 0.5  # after a while without a task
IDLE_AFTER_S = 30.0
CLOSE_WITHIN_S = 5.0  # what a task gets when the whole stack ends, if its stopTimeout is longer
LOGS_KEPT = 50
logger = logging.getLogger(__name__)


class TaskAgent:
    """Runs tasks from `start` to `close`. `since` is when the emulator started: older tasks have no process left."""

    def __init__(self, state: StateDir, functions: Path, since: datetime) -> None:
        self._state = state
        self._functions = functions
        self._since = since
        self._processes: dict[str, Process] = {}  # by task ARN
        self._seen: set[str] = set()
        self._listeners: Listeners | None = None  # opened when a task ends: the first scan needs the processor
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="task-agent", daemon=True)

    def start(self) -> None:
        _drop_old_logs(self._state.logs / "tasks")
        self._thread.start()

    def close(self) -> None:
        """Stop every task and its process; nothing of them is left. May be called from any thread, and again."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._closing.wait(FIRST_LOOK_S)
        endpoint = self._state.endpoint()
        ecs = open_session(endpoint).client("ecs", **client_options(endpoint))
        busy_at = time.monotonic()
        complained = False
        while not self._closing.is_set():
            try:
                self._step(ecs)
                complained = False
            except (BotoCoreError, ClientError) as exc:
                logger.log(logging.DEBUG if complained else logging.WARNING, "tasks cannot be looked after: %s", exc)
                complained = True
            if self._processes:
                busy_at = time.monotonic()
            self._closing.wait(IDLE_POLL_S if time.monotonic() - busy_at > IDLE_AFTER_S else POLL_S)
        self._end_all(ecs)
        ecs.close()
        if self._listeners:
            self._listeners.close()

    def _step(self, ecs: ECSClient) -> None:
        live = dict(_running_tasks(ecs))
        new = [task for task in live if task not in self._seen]
        for cluster in {live[task] for task in new}:
            arns = [task for task in new if live[task] == cluster]
            for task in ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]:
                self._take(ecs, task)
        for arn, process in list(self._processes.items()):
            code = process.exit_code()
            if code is not None:
                del self._processes[arn]
                self._tell(_stop_task(ecs, arn, f"the command ended with exit code {code}"), code)
            elif arn not in live:
                process.ask_to_stop()

    def _tell(self, task: TaskTypeDef, exit_code: int) -> None:
        if self._listeners is None:
            self._listeners = Listeners(self._state.endpoint())
        self._listeners.tell(stopped(task, exit_code))

    def _take(self, ecs: ECSClient, task: TaskTypeDef) -> None:
        arn = task["taskArn"]
        self._seen.add(arn)
        if task["createdAt"] < self._since:
            _stop_task(ecs, arn, "the machine it ran on was stopped")
            return
        definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
        try:
            self._processes[arn] = self._start(arn, task_command(task, definition))
        except NotRunnable as exc:
            _stop_task(ecs, arn, str(exc))

    def _start(self, arn: str, task: TaskCommand) -> Process:
        ours = {
            "HOME": str(self._state.home),
            "TMPDIR": str(self._state.tmp),
            "PYTHONPATH": str(self._functions),
        }
        python = ("python", "python3")
        return Process(
            [sys.executable if word in python and at == 0 else word for at, word in enumerate(task.command)],
            bare_environment() | task.environment | ours | aws_environment(self._state.endpoint()),
            folder=self._state.tmp,
            log=self._state.logs / "tasks" / f"{arn.rpartition('/')[2]}.log",
            grace_s=task.stop_timeout_s,
        )

    def _end_all(self, ecs: ECSClient) -> None:
        for process in self._processes.values():
            process.ask_to_stop()
        deadline = time.monotonic() + CLOSE_WITHIN_S
        for process in self._processes.values():
            process.stop(within_s=max(0.0, deadline - time.monotonic()))
        with suppress(BotoCoreError, ClientError):
            for arn, _ in list(_running_tasks(ecs)):
                _stop_task(ecs, arn, "the machine it ran on was stopped")


def _running_tasks(ecs: ECSClient) -> Iterator[tuple[str, str]]:
    """Every running task with its cluster, both by ARN."""
    for cluster in ecs.list_clusters()["clusterArns"]:
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING"):
            for task in page["taskArns"]:
                yield task, cluster


def _stop_task(ecs: ECSClient, arn: str, reason: str) -> TaskTypeDef:
    cluster = arn.split("/")[-2]  # arn:aws:ecs:<region>:<account>:task/<cluster>/<id>
    return ecs.stop_task(cluster=cluster, task=arn, reason=reason)["task"]


def _drop_old_logs(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[LOGS_KEPT:]:
        path.unlink(missing_ok=True)
