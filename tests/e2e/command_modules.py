"""Imports what the commands import: for the server of tests/e2e/forked_command.py, whose forks have it then."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import boto3  # noqa: F401
import botocore.session  # noqa: F401

import cascan.aws
import cascan_cli.commands
import cascan_cli.main
import cascan_cli.stack

for room in (cascan.aws, cascan_cli.commands, cascan_cli.stack):
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        import_module(module.name)
