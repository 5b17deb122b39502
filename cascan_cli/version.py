"""The version of this command, and how it compares with the version of a deployed stack and of nmap.

A release changes VERSION here, `version` in pyproject.toml and the output `Version` in template.yaml. Tests compare the
three.
"""

from __future__ import annotations

import re
from argparse import Action, ArgumentParser
from typing import Any

VERSION = "0.1.0"
NUMBERS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}", re.ASCII)
NMAP_VERSION = re.compile(r"Nmap version (?P<version>[0-9A-Za-z.+-]{1,40}) ", re.ASCII)
NMAP_SECONDS = 10


class PrintVersion(Action):
    """`--version`: print the version of the command and that of nmap, and end with exit code 0."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        print(f"cascan {VERSION}\n{describe_nmap()}")
        parser.exit()


def describe_nmap() -> str:
    """The version and the path of the nmap on this machine, or a sentence that there is none."""
    import shutil  # both are imported here, because only --version needs them
    import subprocess

    path = shutil.which("nmap")
    if path is None:
        return "nmap is not installed"
    try:
        result = subprocess.run(  # noqa: S603 - a fixed argument list, without a shell
            [path, "--version"], check=False, capture_output=True, text=True, errors="replace", timeout=NMAP_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"nmap at {path} does not start"
    match = NMAP_VERSION.match(result.stdout)
    return f"nmap {match['version']} ({path})" if match else f"nmap at {path} does not say its version"


def describe_difference(stack: str, stack_version: str | None) -> str:
    """One sentence that says whether the stack or this command is older, and what to do. Empty: they are the same.

    stack_version: the output `Version` of the stack, which stacks of versions before it do not have.
    """
    if stack_version == VERSION:
        return ""
    deploy = "deploy this version of cascan to it (docs/deploying.md)"
    if stack_version is None:
        return f"stack {stack!r} is older than this command ({VERSION}), because it has no output Version: {deploy}"
    if not NUMBERS.fullmatch(stack_version):
        return f"stack {stack!r} has a version that this command ({VERSION}) cannot read: {deploy}"
    if _parse(stack_version) < _parse(VERSION):
        return f"stack {stack!r} has version {stack_version}, older than this command ({VERSION}): {deploy}"
    return (
        f"stack {stack!r} has version {stack_version}, newer than this command ({VERSION}): "
        f"update the command to cascan {stack_version}"
    )


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))
