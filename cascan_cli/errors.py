"""What can go wrong for a person at the command line: one sentence with the cause and the way out, and an exit code.

CliError                    3: failed, by default
├── BadInput                2: refused or mistyped; nothing was done
├── NotEnded                a scan takes longer than the person wants to wait
└── LocalStackError         the stack on this machine
    ├── StateUnreadable     a file of the state directory is damaged or not ours
    ├── LimitTooLow         the shell allows its processes less than they need
    ├── DiskFull            there is no room for what the stack keeps
    ├── PortTaken           another program listens where the emulator has to
    ├── StackBusy           another command holds the state directory
    ├── StackUnguarded      the stack that is up was started by an earlier version
    ├── EmulatorFailed      the emulator did not start, or ended by itself
    └── DeployFailed        the template could not be deployed on it
"""

from __future__ import annotations

EXIT_REFUSED = 2
EXIT_FAILED = 3


class CliError(Exception):
    """Every error a command ends with by intent; `str()` is what a person reads."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class BadInput(CliError):
    """Arguments or files that cannot be used as they are."""

    def __init__(self, message: str) -> None:
        super().__init__(message, EXIT_REFUSED)


class NotEnded(CliError):
    """A scan, or what followed it, takes longer than --timeout."""


class LocalStackError(CliError):
    """The stack on this machine is not to be had."""


class StateUnreadable(LocalStackError):
    """A file of the state directory is damaged, or not ours to use."""


class StateGone(LocalStackError):
    """The state directory of a running stack was deleted."""


class LimitTooLow(LocalStackError):
    """The shell allows a process less (memory, files) than those of the stack need."""


class DiskFull(LocalStackError):
    """There is no room in the state directory for what the stack keeps."""


class PortTaken(LocalStackError):
    """Another program listens on the port this state directory is bound to."""


class StackBusy(LocalStackError):
    """Another command holds the state directory for longer than we wait."""


class StackUnguarded(LocalStackError):
    """The stack that stays up answers without the secret of its state directory."""


class EmulatorFailed(LocalStackError):
    """The emulator did not start, did not answer in time, or ended by itself."""


class DeployFailed(LocalStackError):
    """The template could not be deployed; the message names the resource and its reason."""
