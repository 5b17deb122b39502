"""What pyproject.toml cannot say: a wheel holds the template with everything that it names.

The installed command deploys it on this machine, as a checkout does. It lies in cascan_cli/bundle/
(cascan_cli/local/stack.py reads it there); the repository has no such folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUNDLE = Path("cascan_cli", "bundle")
SOURCES = ("template.yaml", "infra", "functions", "layers")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*.egg-info")


class BuildWithBundle(build_py):
    """Also copies SOURCES into the bundle."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the command finds the checkout
            return
        bundle = Path(self.build_lib, BUNDLE)
        shutil.rmtree(bundle, ignore_errors=True)  # of an earlier build
        bundle.mkdir(parents=True)
        for source in map(Path, SOURCES):
            if source.is_dir():
                shutil.copytree(source, bundle / source, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, bundle / source)


setup(cmdclass={"build_py": BuildWithBundle})
