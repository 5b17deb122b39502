"""The AWS emulator as a child process, behind its guard, with its own state and environment."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sys
import threading
import time
from pathlib import Path

from cascan_cli.errors import EmulatorFailed, PortTaken
from cascan_cli.local.aws import CREDENTIAL, REGION, bare_environment
from cascan_cli.local.endpoint import Endpoint, Listener
from cascan_cli.local.guard import FUNCTIONS_VARIABLE, HOST, TABLE_VARIABLE
from cascan_cli.local.process import Process
from cascan_cli.local.state import StateDir

START_TIMEOUT_S = 60.0  # it takes 0.2 s on an idle core
STOP_GRACE_S = 10.0
POLL_S = 0.01
TAIL_CHARS = 2_000
HEALTH_PATH = "/_ministack/health"
SHARED_CODE = "cascan"  # in the folder of the functions
GUARD = Path(__file__).with_name("guard.py")


class Emulator:
    """A running emulator.

    It ends with `stop`, or with this process; after `stop` it has saved its state.

    `functions` is the folder of which the deployed code is a copy. If it holds this project, the
    functions start as forks (forks.py).

    Raises: PortTaken: another program listens on the port of the state directory.
    """

    def __init__(self, state: StateDir, lock_fd: int | None = None, functions: Path | None = None) -> None:
        self.state = state
        self.endpoint = state.endpoint()
        self.log = state.logs / "emulator.log"
        self._state_is_gone = False
        _check_port(self.endpoint.port, state.root)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))
        self._process = Process(
            # Without our folder among those that modules come from
            [sys.executable, "-P", str(GUARD)],
            emulator_environment(state) | _name_functions(functions),
            folder=state.tmp,
            log=self.log,
            grace_s=STOP_GRACE_S,
            status_file=state.exit_status,
            after=state.tasks_lock,
            lock_fds=() if lock_fd is None else (lock_fd,),
        )

    def wait_until_healthy(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the emulator answers.

        Raises: EmulatorFailed: it ended, or does not answer in time; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not _answers(self.endpoint):
            self.check()
            if time.monotonic() > deadline:
                problem = f"the emulator does not answer after {timeout_s:.0f} s"
                raise EmulatorFailed(f"{problem}. {self._quote_log()}")
            time.sleep(POLL_S)
        self.check()

    def prepare_to_deploy(self) -> None:
        """Make it load CloudFormation (0.3 s) while we load boto3, by a request from a thread.

        Returns at once.
        """
        threading.Thread(target=self._ask_for_stacks, name="emulator-warm-up", daemon=True).start()

    def _ask_for_stacks(self) -> None:
        with contextlib.suppress(EmulatorFailed, OSError, http.client.HTTPException):
            self.wait_until_healthy()
            self.endpoint.request("GET", "/?Action=ListStacks")

    def check(self) -> None:
        """Raises: EmulatorFailed: it is not running any more."""
        code = self._process.exit_code()
        if code is not None:
            problem = f"the emulator ended by itself, with exit code {code}"
            raise EmulatorFailed(f"{problem}. {self._quote_log()}")

    def forget_state(self) -> None:
        """Make `stop` kill the emulator, because the state directory was deleted.

        An emulator that saves its state would create the folders again.
        """
        self._state_is_gone = True

    def stop(self) -> bool:
        """End it and everything it started. False: it was killed, and its state in memory is lost.

        An emulator that is still starting is waited for: it cannot save its state while it reads
        the saved one.
        """
        if self._state_is_gone:
            self._process.kill()
            self._process.stop()
            return False
        try:
            with contextlib.suppress(EmulatorFailed):
                self.wait_until_healthy(STOP_GRACE_S)
        finally:
            code = self._process.stop()
        return code == 0

    def _quote_log(self) -> str:
        try:
            tail = self.log.read_bytes()[-TAIL_CHARS:].decode(errors="replace").strip()
        except OSError as exc:
            return f"Its log, {self.log}, cannot be read: {exc.strerror}."
        if not tail:
            return f"Its log, {self.log}, is empty."
        return f"Its log, {self.log}, ends with:\n{tail}"


def emulator_environment(state: StateDir) -> dict[str, str]:
    """The complete environment of the emulator.

    Functions inherit it, so it has no variable of the user's.
    """
    endpoint = state.endpoint()
    return bare_environment() | {
        "HOME": str(state.home),
        "TMPDIR": str(state.tmp),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,  # what queue URLs name
        "GATEWAY_PORT": str(endpoint.port),
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state.emulator_state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state.objects),
        TABLE_VARIABLE: str(state.saved_table),
        "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # The task agent runs tasks, even if Docker is installed
        "DOCKER_HOST": f"unix://{state.tmp / 'no-docker'}",
        "LOG_LEVEL": "WARNING",
        "POWERTOOLS_TRACE_DISABLED": "true",  # for the functions: there is no X-Ray here
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "AWS_SESSION_TOKEN": endpoint.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _name_functions(functions: Path | None) -> dict[str, str]:
    is_ours = functions is not None and (functions / SHARED_CODE).is_dir()
    return {FUNCTIONS_VARIABLE: str(functions)} if is_ours else {}


def _check_port(port: int, root: Path) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            reason = os.strerror(exc.errno or 0)
            raise PortTaken(
                f"port {port} of {HOST} is taken by another program ({reason}), "
                f"and the queues in {root} are addressed by it. "
                "End that program, or choose another directory with --state-dir"
            ) from exc


def _answers(endpoint: Endpoint) -> bool:
    """Whether our emulator is up. Another program on this port does not get the secret."""
    try:
        if endpoint.listener() is not Listener.GUARD:
            return False
        status, _ = endpoint.request("GET", HEALTH_PATH)
    except (OSError, http.client.HTTPException):
        return False
    return status == http.client.OK
