"""The time to import each handler in a new process, compared with `import boto3` alone.

It is processor time, because wall time depends on the load of the machine. A Lambda pays it once,
at its cold start. `as on Lambda` includes the X-Ray SDK, which Powertools loads only there.
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
MEASURE = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
FLOOR = "boto3"


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


def import_s(module: str, *, on_lambda: bool) -> float:
    environment = os.environ | {"PYTHONPATH": str(FUNCTIONS), "POWERTOOLS_METRICS_NAMESPACE": "cascan"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if on_lambda:
        environment |= {"LAMBDA_TASK_ROOT": str(FUNCTIONS), "POWERTOOLS_SERVICE_NAME": "benchmark"}
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE.format(module)], env=environment, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


if __name__ == "__main__":
    main()
