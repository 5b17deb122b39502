"""The stack on one machine: for the commands that follow each other, or until `down`.

    with local_stack(None, {"AllowedTargets": "127.0.0.1"}) as stack:
        sqs = stack.session().client("sqs", **stack.client_options())

A stack runs in a supervisor, a process of its own. One that `local_stack` starts ends when no
command has used it for a minute (keep.py); one that `up` starts stays until `down`. With
CASCAN_LOCAL_KEEP=0 a stack runs in the process of its command, and ends with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cascan_cli.errors import StackBusy, StackUnguarded
from cascan_cli.local.attach import (
    POLL_S,
    PrintMessage,
    find_running_stack,
    find_supervisor,
    lock_or_attach,
)
from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.deployment import TEMPLATE, find_current_outputs, update_deployment
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.keep import find_end, read_keep_s, released_after_use
from cascan_cli.local.lock import Lock, hold_lock, try_lock, try_shared_lock
from cascan_cli.local.state import Running, StateDir

if TYPE_CHECKING:
    from boto3.session import Session

    from cascan_cli.local.aws import ClientOptions

BUSY_TIMEOUT_S = 300.0
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0


class LocalStack(Struct, frozen=True):
    """A running stack.

    `outputs` are those of the template; `attached`: `cascan local up` started it, and it stays up.
    """

    state: StateDir
    endpoint: Endpoint
    outputs: Mapping[str, str]
    attached: bool

    def session(self) -> Session:
        return open_session(self.endpoint)

    def client_options(self) -> ClientOptions:
        return client_options(self.endpoint)

    @property
    def needs_rebuild(self) -> bool:
        """Whether the tables may lack reports of the bucket because the emulator was killed.

        It holds until `mark_rebuilt`.
        """
        return self.state.needs_rebuild()

    def mark_rebuilt(self) -> None:
        self.state.mark_rebuilt()


class Status(Struct, frozen=True):
    """`running` is None if no stack is up; `deployed` are the outputs of the last deployment.

    `ends_at` is when a running stack ends without further use; None: it stays up, or is used now.
    `saved_at` is when the table was saved that commands read while no stack is up; None: they start one.
    """

    state_dir: Path
    endpoint_url: str
    running: Running | None
    deployed: Mapping[str, str] | None
    ends_at: datetime | None = None
    saved_at: datetime | None = None


@contextmanager
def local_stack(
    state_dir: Path | None,
    parameters: Mapping[str, str],
    *,
    template: Path = TEMPLATE,
    keeps_parameters: bool = False,
    print_message: PrintMessage = lambda _: None,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> Iterator[LocalStack]:
    """The stack of this directory, started unless it is up.

    A stack that is up is updated to these parameters; one that `up` started only without
    `keeps_parameters`. `print_message` gets a sentence if the block has to wait for another command.
    Raises: LocalStackError: names the reason and the way out; no process is left running. BadInput:
    see read_keep_s.
    """
    state = StateDir(state_dir)
    keep_s = read_keep_s()
    while True:
        holder = lock_or_attach(state, print_message, busy_timeout_s)
        if isinstance(holder, Lock) and not keep_s:
            from cascan_cli.local.machine import run_machine  # attaching needs none of it

            with run_machine(state, holder, template, parameters) as machine:
                yield LocalStack(state, machine.emulator.endpoint, machine.outputs, attached=False)
            return
        if isinstance(holder, Lock):
            holder.release()
            _launch_once(state, template, parameters, keep_s, busy_timeout_s)
            continue
        use = try_shared_lock(state.use_lock)
        if use is None:  # it ends, or another command changes its parameters
            time.sleep(POLL_S)
            continue
        with released_after_use(state, use):
            outputs = _find_outputs(state, holder, template, parameters, keeps_parameters=keeps_parameters)
            if outputs is not None:
                stays_up = holder.keep_s is None
                yield LocalStack(state, state.endpoint(), outputs, attached=stays_up)
                return
        _change_parameters(state, template, parameters, print_message, busy_timeout_s)


def _launch_once(
    state: StateDir, template: Path, parameters: Mapping[str, str], keep_s: float, timeout_s: float
) -> None:
    """Start a stack, unless another command has started one in the meantime."""
    from cascan_cli.local.supervisor import launch

    with hold_lock(state.root / "launch.lock", timeout_s):
        if find_running_stack(state) is None:
            launch(state, template, parameters, UP_TIMEOUT_S, keep_s)


def _find_outputs(
    state: StateDir,
    running: Running,
    template: Path,
    parameters: Mapping[str, str],
    *,
    keeps_parameters: bool,
) -> Mapping[str, str] | None:
    """The outputs of the running stack, updated if necessary.

    None: it has other parameters, which commands that use it may need.
    """
    if running.keep_s is not None:
        return find_current_outputs(state, template, parameters)
    deployment = state.deployment() if keeps_parameters else None
    return update_deployment(state, template, deployment.parameters if deployment else parameters)


def _change_parameters(
    state: StateDir,
    template: Path,
    parameters: Mapping[str, str],
    print_message: PrintMessage,
    timeout_s: float,
) -> None:
    """Deploy other parameters, or other code, on a stack that stays up after commands.

    Waits until no command uses it. Raises: StackBusy: one does for `timeout_s`.
    """
    use = _wait_for_exclusive_use(state, print_message, timeout_s)
    if use is None:  # it has ended
        return
    with released_after_use(state, use):
        if find_running_stack(state) is not None:
            update_deployment(state, template, parameters)


def _wait_for_exclusive_use(state: StateDir, print_message: PrintMessage, timeout_s: float) -> Lock | None:
    deadline = time.monotonic() + timeout_s
    announced = False
    while (use := try_lock(state.use_lock)) is None:
        if find_supervisor(state) is None:
            return None
        if not announced:
            print_message(f"waiting for the commands that use {state.root} with other parameters")
            announced = True
        if time.monotonic() > deadline:
            raise StackBusy(
                f"other commands use {state.root} with other parameters for more than {timeout_s:.0f} s. "
                "Wait for them, end them, or choose another directory with --state-dir"
            )
        time.sleep(POLL_S)
    return use


def up(
    state_dir: Path | None,
    parameters: Mapping[str, str],
    *,
    template: Path = TEMPLATE,
    timeout_s: float = UP_TIMEOUT_S,
) -> Status:
    """Start a stack that stays until `down`, or update the one that is up, which then stays as well.

    Raises: LocalStackError: it did not start; no process is left running.
    """
    state = StateDir(state_dir)
    while not _make_stay(state, template, parameters):
        from cascan_cli.local.supervisor import launch

        launch(state, template, parameters, timeout_s)
    return status(state_dir)


def _make_stay(state: StateDir, template: Path, parameters: Mapping[str, str]) -> bool:
    """Make the running stack stay up with these parameters. False: there is none."""
    while _is_up(state):
        use = try_shared_lock(state.use_lock)
        if use is None:  # it ends, or another command changes its parameters
            time.sleep(POLL_S)
            continue
        with released_after_use(state, use):
            update_deployment(state, template, parameters)
            running = state.running()
            if running is None:
                return False
            if running.keep_s is not None:
                state.write_running(replace(running, keep_s=None))
            return True
    return False


def _is_up(state: StateDir) -> bool:
    """Whether a stack stays up. One of an earlier version is ended, since it has no guard."""
    try:
        return find_running_stack(state) is not None
    except StackUnguarded:
        down(state.root)
        return False


def down(state_dir: Path | None, *, timeout_s: float = DOWN_TIMEOUT_S) -> bool:
    """End the stack that stays up; its state is saved. False: there was none.

    Raises: StackBusy: it does not end in time.
    """
    state = StateDir(state_dir)
    running = find_supervisor(state)
    if running is None:
        return False
    from cascan_cli.local.supervisor import end

    end(state, running.pid, timeout_s)
    return True


def status(state_dir: Path | None) -> Status:
    """Whether a stack stays up in this state directory, and what is deployed."""
    state = StateDir(state_dir)
    deployment = state.deployment()
    running = find_running_stack(state)
    return Status(
        state.root,
        state.endpoint().url,
        running,
        deployment.outputs if deployment else None,
        find_end(state, running) if running else None,
        None if running else _find_saved_at(state),
    )


def _find_saved_at(state: StateDir) -> datetime | None:
    from cascan_cli.local.saved_table import open_saved_table

    table = open_saved_table(state)
    if table is None:
        return None
    with closing(table):
        return table.saved_at
