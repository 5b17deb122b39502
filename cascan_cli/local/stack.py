"""The stack on one machine: for the length of one command, or until `down`.

    with local_stack(None, {"AllowedTargets": "127.0.0.1"}) as stack:
        sqs = stack.session().client("sqs", **stack.client_options())

`up` starts a stack in a process of its own; `local_stack` then attaches to it and leaves it
running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import StackUnguarded
from cascan_cli.local.attach import (
    PrintMessage,
    find_running_stack,
    find_supervisor,
    lock_or_attach,
)
from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.deployment import update_deployment
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.state import Running, StateDir

if TYPE_CHECKING:
    from boto3.session import Session

    from cascan_cli.local.aws import ClientOptions

CHECKOUT = Path(__file__).resolve().parents[2]
BUNDLE = CHECKOUT / "cascan_cli" / "bundle"  # in an installed wheel: setup.py
TEMPLATE = (BUNDLE if BUNDLE.is_dir() else CHECKOUT) / "template.yaml"
BUSY_TIMEOUT_S = 300.0
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running stack.

    `outputs` are those of the template; `attached`: another process holds it.
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


@dataclass(frozen=True, slots=True)
class Status:
    """`running` is None if no stack stays up; `deployed` are the outputs of the last deployment."""

    state_dir: Path
    endpoint_url: str
    running: Running | None
    deployed: Mapping[str, str] | None


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
    """The stack of this directory, started for the length of the block unless it is up.

    A stack that is up is updated to these parameters, unless `keeps_parameters`. `print_message`
    gets a sentence if the block has to wait for another command. Raises: LocalStackError: names the
    reason and the way out; no process is left running.
    """
    state = StateDir(state_dir)
    lock = lock_or_attach(state, print_message, busy_timeout_s)
    if isinstance(lock, Running):
        deployment = state.deployment() if keeps_parameters else None
        outputs = update_deployment(
            state,
            template,
            deployment.parameters if deployment else parameters,
        )
        yield LocalStack(state, state.endpoint(), outputs, attached=True)
        return
    from cascan_cli.local.machine import run_machine  # attaching needs none of it

    with run_machine(state, lock, template, parameters) as machine:
        yield LocalStack(state, machine.emulator.endpoint, machine.outputs, attached=False)


def up(
    state_dir: Path | None,
    parameters: Mapping[str, str],
    *,
    template: Path = TEMPLATE,
    timeout_s: float = UP_TIMEOUT_S,
) -> Status:
    """Start a stack that stays until `down`, or update the one that is up.

    Raises: LocalStackError: it did not start; no process is left running.
    """
    state = StateDir(state_dir)
    if _is_up(state):
        update_deployment(state, template, parameters)
    else:
        from cascan_cli.local.supervisor import launch

        launch(state, template, parameters, timeout_s)
    return status(state_dir)


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
    return Status(
        state.root,
        state.endpoint().url,
        find_running_stack(state),
        deployment.outputs if deployment else None,
    )
