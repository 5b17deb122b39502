"""The layer of expressions, built as `sam build` builds it, evaluates them without what the library depends on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")
MAX_BYTES = 8_000_000  # the compiled module has 6.3 MB; with what its command line needs it would be 28.8
PROGRAM = """
import sys
unwanted = set(sys.argv[2:])

class Lambda:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in unwanted:
            raise ModuleNotFoundError(f"{name} is not on Lambda", name=name)

sys.meta_path.insert(0, Lambda())
from cascan.cascades import expression
assert expression.compile_expression("finding.port > 80").holds(expression.to_cel_context({"port": 443}))
print(expression.load_cel().__file__)
import on_scan_completed.wiring
"""

pytestmark = pytest.mark.skipif(
    MAKE is None or platform.machine() != "x86_64" or sys.version_info[:2] != (3, 11),
    reason="building and loading the layer needs make, an x86-64 machine, and Python 3.11 as Lambda has it",
)


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opt")
    variables = (f"ARTIFACTS_DIR={folder}", f"PYTHON={sys.executable}", "PYTHON_VERSION=3.11")
    command = [str(MAKE), "build-ExpressionsLayer", *variables]
    source = ROOT / "layers" / "expressions"
    built = subprocess.run(command, cwd=source, text=True, capture_output=True, check=False, umask=0o077)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_layer_holds_the_library_and_nothing_that_only_its_command_line_needs(layer: Path) -> None:
    names = {path.name.partition("-")[0] for path in (layer / "python").iterdir()}
    assert names == {"cel", "common_expression_language"}
    assert sum(path.stat().st_size for path in layer.rglob("*") if path.is_file()) < MAX_BYTES
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in layer.rglob("*"))  # Lambda runs as another user


def test_expressions_are_evaluated_with_the_layer_and_without_the_library_s_dependencies(layer: Path) -> None:
    names = [re.split(r"[^\w-]", line)[0].replace("-", "_") for line in requires("common-expression-language") or []]
    assert {"typer", "rich", "prompt_toolkit", "pygments"} <= set(names)
    path = os.pathsep.join([str(layer / "python"), str(ROOT / "functions")])
    command = [sys.executable, "-c", PROGRAM, "--", *names]
    environment = {"PYTHONPATH": path, "AWS_DEFAULT_REGION": "us-east-1"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert Path(printed.stdout.strip()).is_relative_to(layer)
