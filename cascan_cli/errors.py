"""Errors that end a command: one sentence with the cause and the remedy, and an exit code.

CliError                    3: failed (the default)
├── BadInput                2: refused or invalid; nothing was done
├── NotEnded                a scan takes longer than --timeout
└── LocalStackError         the stack on this machine
    ├── StateUnreadable     a file of the state directory is damaged or not ours
    ├── LimitTooLow         a limit of the shell (memory, files) is too low for its processes
    ├── DiskFull            there is no space left for the data of the stack
    ├── PortTaken           another program uses the port of the emulator
    ├── StackBusy           another command has locked the state directory
    ├── StackUnguarded      the running stack was started by an earlier version
    ├── EmulatorFailed      the emulator did not start, or it stopped unexpectedly
    └── DeployFailed        the template could not be deployed on the emulator
"""

from __future__ import annotations

EXIT_REFUSED = 2
EXIT_FAILED = 3


class CliError(Exception):
    """The base of all errors that a command reports; `str()` is the sentence for the user."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class BadInput(CliError):
    """Invalid arguments or files."""

    def __init__(self, message: str) -> None:
        super().__init__(message, EXIT_REFUSED)


class NotEnded(CliError):
    """A scan or its cascade takes longer than --timeout."""


class LocalStackError(CliError):
    """The stack on this machine is not available."""


class StateUnreadable(LocalStackError):
    """A file of the state directory is damaged, or belongs to another user."""


class StateGone(LocalStackError):
    """The state directory of a running stack was deleted."""


class LimitTooLow(LocalStackError):
    """A limit of the shell (memory, files) is lower than the processes of the stack need."""


class DiskFull(LocalStackError):
    """There is no space left in the state directory."""


class PortTaken(LocalStackError):
    """Another program listens on the port that this state directory uses."""


class StackBusy(LocalStackError):
    """Another command has locked the state directory, and does not release it in time."""


class StackUnguarded(LocalStackError):
    """The running stack accepts calls without the secret of its state directory."""


class EmulatorFailed(LocalStackError):
    """The emulator did not start, did not answer in time, or stopped unexpectedly."""


class DeployFailed(LocalStackError):
    """The template could not be deployed; the message names the resource and its reason."""
