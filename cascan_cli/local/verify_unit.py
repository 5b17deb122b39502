"""What `systemd-analyze verify` says of a unit, on machines that have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cascan_cli.local.unit import NAME

PROGRAM = "systemd-analyze"
TIMEOUT_S = 20.0
MAX_SHOWN = 400  # characters of its complaint


def verify_unit(text: str, *, system: bool) -> str:
    """One sentence: the unit is good, or what is wrong with it, or why it was not checked."""
    program = shutil.which(PROGRAM)
    if program is None:
        return f"the unit was not checked: {PROGRAM} is not installed"
    manager = "--system" if system else "--user"
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / NAME
        unit.write_text(text, encoding="utf-8")
        environment = {"XDG_RUNTIME_DIR": folder, **os.environ}  # without a session there is none
        try:
            verified = subprocess.run(  # noqa: S603 - our own argument list
                [program, "verify", manager, "--man=no", "--recursive-errors=no", str(unit)],
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"the unit was not checked: {PROGRAM}: {exc}"
    complaints = " ".join((verified.stdout + verified.stderr).split())
    if not complaints and not verified.returncode:
        return f"{PROGRAM} verify finds no fault in the unit"
    return f"{PROGRAM} verify: {complaints[:MAX_SHOWN] or f'exit code {verified.returncode}'}"
