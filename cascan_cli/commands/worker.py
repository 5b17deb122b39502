"""`cascan worker --vantage NAME`: run the shards of a vantage from this machine."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.model.shard import Lane
from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import print_message, printable
from cascan_cli.stack.open import NMAP_MISSING, StackGateways, open_stack
from cascan_cli.stack.permissions import read_permissions

if TYPE_CHECKING:
    from cascan.model.vantage import Vantage
    from cascan.permissions.scope import Scope
    from on_shard_queued.drain import Drain

SHARD_TIMEOUT_S = 14_400  # nmap is stopped after so long on one shard, as in the stack
UNTIL_STOPPED_S = 10**9
SHOWN = ("scan_id", "shard", "outcome", "error", "reason")  # of a log line


def run(args: Namespace) -> int:
    """Exit code 0: it was stopped, or was idle for as long as --idle-exit says."""
    permissions = read_permissions(args)
    with open_stack(args) as stack:
        vantage = stack.table.get_vantage(args.vantage)
        if vantage is None:
            raise BadInput(f"--vantage: there is no vantage {args.vantage!r}; see cascan vantage list")
        lane = _choose_lane(vantage, args.lane)
        nmap = _choose_nmap(vantage, lane)
        drain = _build_drain(vantage, lane, nmap, stack, idle_exit_s=args.idle_exit, scope=permissions.scope)
        print_message(f"draining the {lane} queue of {vantage.name}; Ctrl-C returns the running shard and ends")
        _run_until_stopped(drain)
    print_message("the worker has ended")
    return 0


def _choose_lane(vantage: Vantage, requested: str | None) -> Lane:
    """Raises: BadInput: the vantage has no queue for the lane."""
    lane = requested or next((name for name in ("connect", "raw") if name in vantage.queues), "connect")
    if lane not in vantage.queues:
        lanes = ", ".join(sorted(vantage.queues)) or "none"
        raise BadInput(f"--lane: {vantage.name} has no queue for {lane} shards; it has {lanes}")
    return Lane(lane)


def _choose_nmap(vantage: Vantage, lane: Lane) -> tuple[str, ...]:
    """The command of nmap, in the vantage's namespace. Raises: CliError: it cannot run here."""
    if shutil.which("nmap") is None:
        raise CliError(NMAP_MISSING)
    if not vantage.namespace:
        if lane is Lane.RAW and (problem := find_raw_socket_problem("nmap")):
            raise CliError(f"--lane raw: {problem}")
        return ("nmap",)
    path = f"/run/netns/{vantage.namespace}"
    if os.geteuid() != 0:
        raise CliError(f"only root may enter the network namespace {vantage.namespace}: run this command as root")
    if not os.path.exists(path):  # noqa: PTH110 - not a file of ours
        raise CliError(f"there is no network namespace {path} on this machine; `ip netns list` shows them")
    return ("nsenter", f"--net={path}", "nmap")


def _build_drain(
    vantage: Vantage,
    lane: Lane,
    nmap: tuple[str, ...],
    stack: StackGateways,
    *,
    idle_exit_s: int | None,
    scope: Scope,
) -> Drain:
    from cascan.aws.sqs.returned_shards import SqsReturnedShards
    from cascan.aws.sqs.shard_source import SqsShardSource
    from on_shard_queued.delivery import Worker
    from on_shard_queued.drain import Drain
    from on_shard_queued.resolver import DnsResolver

    url = vantage.queues[lane.value]
    worker = Worker(
        name=f"{vantage.name}/{lane}/{socket.gethostname()}/{os.getpid()}",
        nmap=nmap,
        table=stack.table,
        reports=stack.reports,
        returns=SqsReturnedShards(stack.outputs["ReturnedShardQueueUrl"]),
        scope=scope,
        resolver=DnsResolver(),
        clock=utc_now,
    )
    idle_s = UNTIL_STOPPED_S if idle_exit_s is None else idle_exit_s
    return Drain(SqsShardSource(url), worker, idle_s, SHARD_TIMEOUT_S)


def _run_until_stopped(drain: Drain) -> None:
    """Drain until a signal, with a line on standard error for each shard."""
    logger, handler = logging.getLogger("worker"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    earlier = {signum: signal.signal(signum, drain.stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        drain.run()
    finally:
        logger.removeHandler(handler)
        for signum, handle in earlier.items():
            signal.signal(signum, handle)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = vars(record)
        shown = (f"{name} {fields[name]}" for name in SHOWN if fields.get(name) not in (None, ""))
        return printable(f"{record.getMessage()}: {', '.join(shown)}")
