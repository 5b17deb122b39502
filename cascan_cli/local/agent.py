"""The task agent: runs the tasks that the emulator only lists, as processes.

It polls the ECS API for running tasks and starts the command of each task once. When the command
ends, it stops the task and notifies the functions that listen for stopped tasks. A task that
another caller stops gets SIGTERM, and after its stopTimeout SIGKILL. Every poll compares the tasks
that should run with the running processes, and stops the tasks without a process, until the
emulator lists them as stopped. It starts the workers of vantages in network namespaces, too.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from cascan_cli.local.aws import aws_environment, bare_environment
from cascan_cli.local.ecs_client import EcsClient
from cascan_cli.local.leftovers import sweep_scratch
from cascan_cli.local.lock import Lock, try_shared_lock
from cascan_cli.local.process import Process
from cascan_cli.local.state import StateDir
from cascan_cli.local.task import NotRunnable, TaskCommand, task_command
from cascan_cli.local.vantage_workers import VantageWorkers

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

    from cascan_cli.local.announce import TaskListeners

POLL_S = 0.2
FIRST_POLL_S = 1.0  # no task is started sooner, and the first scan needs the processor
IDLE_POLL_S = 0.5  # after IDLE_AFTER_S without a task
IDLE_AFTER_S = 30.0
CLOSE_WITHIN_S = 5.0  # a limit on stopTimeout when the whole stack ends
LOGS_KEPT = 50
SWEEP_EVERY_S = 600.0
STOPPED = "STOPPED"
MACHINE_STOPPED = "the machine it ran on was stopped"
logger = logging.getLogger(__name__)


class TaskAgent:
    """Runs tasks from `start` to `close`.

    `since` is the start of the emulator: older tasks have no process any more. The keeper of every
    task inherits `lock_fd`, the lock of the state directory, so that no stack is started before all
    tasks have ended.
    """

    def __init__(self, state: StateDir, functions: Path, since: datetime, lock_fd: int) -> None:
        self._state = state
        self._functions = functions
        self._since = since
        self._lock_fd = lock_fd
        self._tasks_lock: Lock | None = None
        self._processes: dict[str, Process] = {}  # by task ARN
        self._started: set[str] = set()
        self._over: set[str] = set()  # stopped, but the emulator lists them as running for ever
        self._vantage_workers: VantageWorkers | None = None  # opened by the agent's thread
        self._listeners: TaskListeners | None = None  # opened when a task ends, to start faster
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="task-agent", daemon=True)

    def start(self) -> None:
        _drop_old_logs(self._state.logs / "tasks")
        self._tasks_lock = try_shared_lock(self._state.tasks_lock)
        self._thread.start()

    def close(self) -> None:
        """Stop every task and its processes. May be called from any thread, and repeatedly."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._tasks_lock:
            self._tasks_lock.release()
            self._tasks_lock = None

    def _run(self) -> None:
        self._closing.wait(FIRST_POLL_S)
        endpoint = self._state.endpoint()
        ecs = EcsClient(endpoint)
        self._vantage_workers = VantageWorkers(endpoint, ecs, self._start)
        busy_at = swept_at = time.monotonic()
        has_warned = False
        while not self._closing.is_set():
            try:
                self._step(ecs)
                self._step_vantages(self._vantage_workers)
                has_warned = False
            except Exception as exc:  # noqa: BLE001 - without this thread no task ends
                logger.log(
                    logging.DEBUG if has_warned else logging.WARNING,
                    "the task agent failed, and will try again: %s",
                    exc,
                )
                has_warned = True
            if self._processes or self._vantage_workers.are_running:
                busy_at = time.monotonic()
            if time.monotonic() - swept_at > SWEEP_EVERY_S:
                sweep_scratch(self._state.tmp)
                swept_at = time.monotonic()
            self._closing.wait(IDLE_POLL_S if time.monotonic() - busy_at > IDLE_AFTER_S else POLL_S)
        self._vantage_workers.stop(within_s=CLOSE_WITHIN_S)
        self._end_all(ecs)
        self._vantage_workers.close()
        ecs.close()
        if self._listeners:
            self._listeners.close()

    def _step(self, ecs: EcsClient) -> None:
        listed = dict(_running_tasks(ecs))
        self._over.intersection_update(listed)
        with_process = self._processes.keys() | self._over
        without_process = [arn for arn in listed if arn not in with_process]
        for task in _described(ecs, without_process):
            self._start_or_stop(ecs, task)
        for arn, process in list(self._processes.items()):
            code = process.exit_code()
            if code is not None:
                task = _stop_task(ecs, arn, f"the command ended with exit code {code}")
                del self._processes[arn]
                # A killed worker does not remove it
                shutil.rmtree(self._scratch(arn), ignore_errors=True)
                self._notify_listeners(task, code)
            elif arn not in listed:
                process.ask_to_stop()

    def _step_vantages(self, workers: VantageWorkers) -> None:
        for task_id in workers.step():
            shutil.rmtree(self._scratch(task_id), ignore_errors=True)

    def _notify_listeners(self, task: TaskTypeDef, exit_code: int) -> None:
        from cascan_cli.local.announce import TaskListeners, build_stopped_event  # imports boto3

        if self._listeners is None:
            self._listeners = TaskListeners(self._state.endpoint())
        self._listeners.notify(build_stopped_event(task, exit_code))

    def _start_or_stop(self, ecs: EcsClient, task: TaskTypeDef) -> None:
        """Start the process of a new task, or stop a task without a process.

        A task has none if its process has ended, or if an earlier stack left the task.
        """
        arn = task["taskArn"]
        if task["lastStatus"] == STOPPED:  # the emulator will list it as running for ever
            self._over.add(arn)
        elif arn in self._started:
            _stop_task(ecs, arn, "its process has ended")
        elif task["createdAt"] < self._since:
            _stop_task(ecs, arn, MACHINE_STOPPED)
        else:
            self._start_task(ecs, task)

    def _start_task(self, ecs: EcsClient, task: TaskTypeDef) -> None:
        arn = task["taskArn"]
        definition = ecs.describe_task_definition(task["taskDefinitionArn"])
        self._started.add(arn)
        try:
            self._processes[arn] = self._start(arn, task_command(task, definition))
        except NotRunnable as exc:
            _stop_task(ecs, arn, str(exc))
        except OSError as exc:  # no memory, process, descriptor or disk space
            logger.warning("a task cannot be started: %s", exc)
            _stop_task(ecs, arn, f"its process cannot be started: {exc}")

    def _scratch(self, arn: str) -> Path:
        return self._state.tmp / f"task-{_task_id(arn)}"

    def _start(self, arn: str, task: TaskCommand) -> Process:
        scratch = self._scratch(arn)
        scratch.mkdir(mode=0o700, exist_ok=True)  # the worker of a vantage has one name
        local = {
            "HOME": str(self._state.home),
            "TMPDIR": str(scratch),
            "PYTHONPATH": str(self._functions),
        }
        program, *arguments = task.command
        if program in ("python", "python3"):
            program = sys.executable
        return Process(
            [program, *arguments],
            bare_environment() | task.environment | local | aws_environment(self._state.endpoint()),
            folder=self._state.tmp,
            log=self._state.logs / "tasks" / f"{_task_id(arn)}.log",
            grace_s=task.stop_timeout_s,
            lock_fds=(self._lock_fd, *((self._tasks_lock.fd,) if self._tasks_lock else ())),
        )

    def _end_all(self, ecs: EcsClient) -> None:
        for process in self._processes.values():
            process.ask_to_stop()
        deadline = time.monotonic() + CLOSE_WITHIN_S
        for process in self._processes.values():
            process.stop(within_s=max(0.0, deadline - time.monotonic()))
        with suppress(BotoCoreError, ClientError):
            for arn, _ in list(_running_tasks(ecs)):
                _stop_task(ecs, arn, MACHINE_STOPPED)


def _running_tasks(ecs: EcsClient) -> Iterator[tuple[str, str]]:
    """The ARNs of every task that should run and of its cluster.

    DescribeTasks says whether it runs.
    """
    for cluster in ecs.list_clusters():
        for task in ecs.list_running_tasks(cluster):
            yield task, cluster


def _described(ecs: EcsClient, arns: Sequence[str]) -> Iterator[TaskTypeDef]:
    for arn in arns:  # rarely more than one
        yield from ecs.describe_task(_cluster(arn), arn)


def _stop_task(ecs: EcsClient, arn: str, reason: str) -> TaskTypeDef:
    return ecs.stop_task(_cluster(arn), arn, reason)


def _task_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _cluster(arn: str) -> str:
    return arn.split("/")[-2]  # arn:aws:ecs:<region>:<account>:task/<cluster>/<id>


def _drop_old_logs(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[LOGS_KEPT:]:
        path.unlink(missing_ok=True)
