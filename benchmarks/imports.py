"""The time to import each handler in a new process, compared with `import boto3` alone.

It is processor time, because wall time depends on the load of the machine. A Lambda pays it once,
at its cold start. `as on Lambda` includes the X-Ray SDK, which Powertools loads only there.

Then the commands that need no stack, from their import to their end, without the interpreter's own start.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 11
AIM = 1.6
FUNCTIONS = Path(__file__).parents[1] / "functions"
PATHS = {"PYTHONPATH": f"{FUNCTIONS}{os.pathsep}{FUNCTIONS.parent}"}
MEASURE = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
FLOOR = "boto3"
COMMANDS = (["--help"], ["scan", "--help"], ["check", "10.0.0.0/24", "--", "-sV"])
COMMAND_AIM_MS = 100
RUN = """
import contextlib, io, time
started = time.process_time()
from cascan_cli.main import main
quiet = io.StringIO()
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), contextlib.suppress(SystemExit):
    main({!r})
print(time.process_time() - started)
"""


def main() -> None:
    handlers = sorted(f"{path.parent.name}.app" for path in FUNCTIONS.glob("on_*/app.py"))
    modules = [FLOOR, *handlers, "on_shard_queued.worker"]
    for title, on_lambda in (("off Lambda", False), ("as on Lambda", True)):
        seconds: dict[str, list[float]] = {module: [] for module in modules}
        for _ in range(ROUNDS):
            for module in modules:
                seconds[module].append(import_s(module, on_lambda=on_lambda))
        floor = statistics.median(seconds[FLOOR])
        print(f"import, {title}: median of {ROUNDS}, ms; times `import boto3`; aim {AIM}")
        for module, times in seconds.items():
            median = statistics.median(times)
            print(f"  {module:32}{median * 1000:6.0f}{median / floor:7.2f}")
    print(f"commands: median of {ROUNDS}, ms; aim {COMMAND_AIM_MS}")
    for arguments in COMMANDS:
        median = statistics.median(run_python(RUN.format(arguments), os.environ | PATHS) for _ in range(ROUNDS))
        print(f"  {' '.join(['cascan', *arguments]):32}{median * 1000:6.0f}")


def import_s(module: str, *, on_lambda: bool) -> float:
    environment = os.environ | PATHS | {"POWERTOOLS_METRICS_NAMESPACE": "cascan"}
    if on_lambda:
        environment |= {"LAMBDA_TASK_ROOT": str(FUNCTIONS), "POWERTOOLS_SERVICE_NAME": "benchmark"}
    return run_python(MEASURE.format(module), environment)


def run_python(code: str, environment: dict[str, str]) -> float:
    """The number that the code prints, in a new process."""
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout)


if __name__ == "__main__":
    main()
