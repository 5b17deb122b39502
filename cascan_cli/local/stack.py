"""The stack on one machine: for the length of one command, or until it is told to go.

    with local_stack(None, {"AllowedTargets": "127.0.0.1"}) as stack:
        sqs = stack.session().client("sqs", **stack.client_options())

`up` leaves a stack running in a process of its own; `local_stack` then attaches to it and leaves it be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import StackUnguarded
from cascan_cli.local.attach import PrintMessage, find_running_stack, find_supervisor, lock_or_attach
from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.deployment import update_deployment
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.state import Running, StateDir

if TYPE_CHECKING:
    from boto3.session import Session

    from cascan_cli.local.aws import ClientOptions

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
BUSY_TIMEOUT_S = 300.0
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack that is up. `outputs` are those of the template; `attached`: it was up before, and stays up."""

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
        """The emulator was killed: its tables are behind the reports in the bucket, until `mark_rebuilt`."""
        return self.state.needs_rebuild()

    def mark_rebuilt(self) -> None:
        self.state.mark_rebuilt()


@dataclass(frozen=True, slots=True)
class Status:
    """`running` is None when no stack stays up; `deployed` are the outputs of what was deployed last."""

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
    say: PrintMessage = lambda _: None,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> Iterator[LocalStack]:
    """The stack of this state directory, started for the length of the block unless it is up already.

    One that is up gets these parameters too, or, with `keeps_parameters`, stays with its own. `say` is told, in one
    sentence, when the block has to wait for another command.
    Raises: LocalStackError: it is not to be had, with the reason and the way out; nothing is left running.
    """
    state = StateDir(state_dir)
    found = lock_or_attach(state, say, busy_timeout_s)
    if isinstance(found, Running):
        deployment = state.deployment() if keeps_parameters else None
        outputs = update_deployment(state, template, deployment.parameters if deployment else parameters)
        yield LocalStack(state, state.endpoint(), outputs, attached=True)
        return
    from cascan_cli.local.machine import run_machine  # who attaches needs none of it

    with run_machine(state, found, template, parameters) as machine:
        yield LocalStack(state, machine.emulator.endpoint, machine.outputs, attached=False)


def up(
    state_dir: Path | None,
    parameters: Mapping[str, str],
    *,
    template: Path = TEMPLATE,
    timeout_s: float = UP_TIMEOUT_S,
) -> Status:
    """Start a stack that stays until `down`, or bring the one that is up in step with the template and parameters.

    Raises: LocalStackError: it did not come up; nothing is left running.
    """
    state = StateDir(state_dir)
    if _is_up(state):
        update_deployment(state, template, parameters)
    else:
        from cascan_cli.local.supervisor import launch

        launch(state, template, parameters, timeout_s)
    return status(state_dir)


def _is_up(state: StateDir) -> bool:
    """Whether a stack stays up. One that an earlier version started is ended: it has no guard."""
    try:
        return find_running_stack(state) is not None
    except StackUnguarded:
        down(state.root)
        return False


def down(state_dir: Path | None, *, timeout_s: float = DOWN_TIMEOUT_S) -> bool:
    """End the stack that stays up; what it holds is kept. False: there was none.

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
    """What this state directory has: a stack that stays up, or none, and what is deployed."""
    state = StateDir(state_dir)
    deployment = state.deployment()
    return Status(
        state.root, state.endpoint().url, find_running_stack(state), deployment.outputs if deployment else None
    )
