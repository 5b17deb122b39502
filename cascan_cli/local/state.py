"""The state directory: all files of the stack on this machine.

machine.json        the port of this directory, chosen at first use and kept: queue URLs embed it
secret              the session token of every call of the emulator; a new one after an unclean end
lock                held while anything of a stack runs; names its owner
tasks.lock          held while a task runs
up.lock             held by the process that keeps a stack up
launch.lock         held by a command while it starts a stack that stays up
use.lock            shared by the commands that use a running stack; its time is that of the last use
running.json        the stack that stays up
deployment.json     what is deployed: fingerprint, sources, parameters, outputs
stamp.json          when its files were last seen with that fingerprint: their sizes and times
rebuild             there while the tables may be behind the stored reports
table.sqlite        the table as the last stack saved it, for commands that only read; there while no
                    stack runs (saved_table.py)
search.sqlite       the words of the findings of ended scans, for `cascan search`; can be made again
search.lock         held while a search uses it
emulator/           the emulator's tables and queues (state), its objects (objects), exit-status;
                    when it started (started), and whether a deployment is under way (deploying)
home/ tmp/ logs/    what its processes get for a home, for scratch, and their output
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict

from cascan_cli.errors import DiskFull, StateUnreadable
from cascan_cli.local.leftovers import clear_scratch, drop_drafts, is_inconsistent
from cascan_cli.local.private import (
    FILE_MODE,
    FOLDER_MODE,
    create_file,
    is_private,
    make_folder,
    replace_file,
    tighten,
)

if TYPE_CHECKING:
    from cascan_cli.local.endpoint import Endpoint

# The functions take 30 MB unpacked, the emulator 7, and reports come on top
LEAST_FREE_BYTES = 64_000_000
FOLDERS = ("emulator", "emulator/state", "emulator/objects", "home", "tmp", "logs", "logs/tasks")


def default_root() -> Path:
    """`$XDG_STATE_HOME/cascan`, or `~/.local/state/cascan`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "cascan"


class Deployment(msgspec.Struct, frozen=True):
    """What is deployed.

    The fingerprint covers the content of `sources`, paths relative to the template's folder.
    """

    fingerprint: str
    sources: tuple[str, ...]
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


class Stamp(msgspec.Struct, frozen=True):
    """Files with this stamp (their sizes and times) have this fingerprint."""

    fingerprint: str
    stamp: str


class Running(msgspec.Struct, frozen=True):
    """A stack that stays up: the process that holds it, and since when (ISO 8601, UTC).

    It ends when no command has used it for `keep_s`; None: it stays until `cascan local down`.
    """

    pid: int
    since: str
    keep_s: float | None = None


class StateDir:
    """A state directory, created on first use and readable only by its owner.

    Raises: StateUnreadable: it cannot be created, or a file in it is damaged.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()
        try:
            self.root.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            self._check_owner()
            self.root.chmod(FOLDER_MODE)
            for folder in FOLDERS:
                make_folder(self.root / folder)
        except OSError as exc:
            problem = f"the state directory {self.root} cannot be used: {exc.strerror}"
            raise StateUnreadable(f"{problem}. Choose another one with --state-dir") from exc
        self.lock = self.root / "lock"
        self.up_lock = self.root / "up.lock"
        self.use_lock = self.root / "use.lock"
        self.tasks_lock = self.root / "tasks.lock"
        self.search_index = self.root / "search.sqlite"
        self.saved_table = self.root / "table.sqlite"
        self.home = self.root / "home"
        self.tmp = self.root / "tmp"
        self.logs = self.root / "logs"
        self.emulator_state = self.root / "emulator" / "state"
        self.objects = self.root / "emulator" / "objects"
        self.exit_status = self.root / "emulator" / "exit-status"
        self.started = self.root / "emulator" / "started"
        self.deploying = self.root / "emulator" / "deploying"

    def port(self) -> int:
        """The port of this directory, chosen on first use."""
        stored = self._read("machine.json")
        if stored is None:
            from cascan_cli.local.endpoint import find_free_port
            from cascan_cli.local.guard import HOST

            create_file(self.root / "machine.json", json.dumps({"port": find_free_port(HOST)}))
            stored = self._read("machine.json") or {}
        port = stored.get("port")
        if not isinstance(port, int) or not 1 <= port <= 65535:  # noqa: PLR2004 - what a port is
            raise self._damaged("machine.json", "it names no port")
        return port

    def endpoint(self) -> Endpoint:
        """The port of the emulator, with its secret."""
        # `cascan check` reads the policy in this directory, and needs no HTTP
        from cascan_cli.local.endpoint import Endpoint, read_secret

        return Endpoint(self.port(), read_secret(self.root / "secret"))

    def deployment(self) -> Deployment | None:
        stored = self._read("deployment.json")
        if stored is None:
            return None
        try:
            parameters, outputs = dict(stored["parameters"]), dict(stored["outputs"])
            return Deployment(
                str(stored["fingerprint"]),
                tuple(stored["sources"]),
                parameters,
                outputs,
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise self._damaged("deployment.json", "it does not say what is deployed") from exc

    def write_deployment(self, deployment: Deployment) -> None:
        self._write("deployment.json", asdict(deployment))

    def stamp(self) -> Stamp | None:
        """None: there is none, or it cannot be read, and the files have to be."""
        try:
            stored = self._read("stamp.json") or {}
        except StateUnreadable:
            return None
        return Stamp(str(stored.get("fingerprint")), str(stored.get("stamp"))) if stored else None

    def write_stamp(self, stamp: Stamp) -> None:
        self._write("stamp.json", asdict(stamp))

    def running(self) -> Running | None:
        stored = self._read("running.json")
        if stored is None:
            return None
        try:
            keep_s = stored.get("keep_s")  # not written by earlier versions
            return Running(int(stored["pid"]), str(stored["since"]), None if keep_s is None else float(keep_s))
        except (KeyError, TypeError, ValueError) as exc:
            problem = "it does not name the process that runs the stack"
            raise self._damaged("running.json", problem) from exc

    def write_running(self, running: Running) -> None:
        self._write("running.json", asdict(running))

    def delete_running(self) -> None:
        (self.root / "running.json").unlink(missing_ok=True)

    def begin_run(self) -> None:
        """Clean up before the emulator starts.

        After an unclean end only the stored objects are kept.

        The secret is changed then: another program may have received late requests on the port.
        Raises: DiskFull: the disk has less than LEAST_FREE_BYTES.
        """
        self.saved_table.unlink(missing_ok=True)  # first, because it is right only while nothing runs
        drop_drafts(self.root)
        clear_scratch(self.tmp, everything=self._free_bytes() < LEAST_FREE_BYTES)
        if not all(is_private(self.root / folder) for folder in FOLDERS):
            tighten(self.root)
        if (free := self._free_bytes()) < LEAST_FREE_BYTES:
            raise DiskFull(
                f"the disk of {self.root} has {free // 1_000_000} MB left, and the stack needs "
                f"{LEAST_FREE_BYTES // 1_000_000} MB. "
                "Make room, or choose another directory with --state-dir"
            )
        if not self._ended_cleanly():
            self._forget_tables()
        self.exit_status.unlink(missing_ok=True)
        self.started.touch(FILE_MODE)

    def _forget_tables(self) -> None:
        """Have the stack deployed and its tables rebuilt: the saved state is not usable."""
        if self.has_objects():
            (self.root / "rebuild").touch(FILE_MODE)
            (self.root / "secret").unlink(missing_ok=True)
        (self.root / "deployment.json").unlink(missing_ok=True)
        if self.deploying.exists() or is_inconsistent(self.emulator_state, self.started):
            from shutil import rmtree

            rmtree(self.emulator_state)
            make_folder(self.emulator_state)
        self.deploying.unlink(missing_ok=True)

    def _free_bytes(self) -> int:
        from shutil import disk_usage  # imported here: commands that start no stack do not need it

        return disk_usage(self.root).free

    def needs_rebuild(self) -> bool:
        """Whether the emulator was killed after the tables last held every stored report."""
        return (self.root / "rebuild").exists()

    def mark_rebuilt(self) -> None:
        (self.root / "rebuild").unlink(missing_ok=True)

    def is_saved(self) -> bool:
        """Whether nothing has run since the last stack ended in order, so that `saved_table` may be read."""
        return self.saved_table.exists() and self._ended_cleanly() and not self.needs_rebuild()

    def has_objects(self) -> bool:
        return any(self.objects.iterdir())

    def _ended_cleanly(self) -> bool:
        """Whether the last run ended by itself, saved everything and cut off no deployment."""
        try:
            return self.exit_status.read_text() == "0" and not self.deploying.exists()
        except FileNotFoundError:
            return False

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            stored = json.loads((self.root / name).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StateUnreadable(f"{self.root / name} cannot be read: {exc.strerror}") from exc
        except ValueError as exc:
            raise self._damaged(name, "it is not JSON") from exc
        if not isinstance(stored, dict):
            raise self._damaged(name, "it is not an object")
        return stored

    def _check_owner(self) -> None:
        """Check the owner of the directory: another user could replace its files.

        Raises: StateUnreadable: it belongs to another user.
        """
        owner = self.root.stat().st_uid
        if owner != os.geteuid():
            raise StateUnreadable(
                f"the state directory {self.root} belongs to another user (uid {owner}). "
                "Choose one of your own with --state-dir"
            )

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        replace_file(self.root / name, json.dumps(value))

    def _damaged(self, name: str, why: str) -> StateUnreadable:
        return StateUnreadable(
            f"{self.root / name} is damaged: {why}. Delete that file "
            "(the stored reports are not in it), or choose another directory with --state-dir"
        )
