"""`cascan cost`: estimate what a request would cost on AWS, without scanning."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec

from cascan.clock import utc_now
from cascan.cost.assumptions import LIVE
from cascan.cost.budget import CostLimit, require_budget
from cascan.cost.estimate import CostEstimate, estimate_cost, round_range
from cascan.cost.prices import PriceList
from cascan.cost.ranges import Range, exactly
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.documents import read_documents
from cascan.model.refusal import Refusal
from cascan.model.request import ScanRequest
from cascan.model.schedule import Schedule
from cascan.permissions.permissions import Permissions
from cascan.planning.plan import Plan, plan
from cascan.planning.rates import ScanDefaults
from cascan.schedules.due import build_run_request, next_times
from cascan.schedules.form import KIND as SCHEDULE_KIND
from cascan.schedules.form import read_schedule
from cascan_cli.commands.scan import build_request
from cascan_cli.errors import EXIT_REFUSED, BadInput
from cascan_cli.input.price_file import read_price_file
from cascan_cli.input.request_files import read_request_file, read_vuls_requests, split_requests
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.permissions import read_cost_limit, read_permissions, read_scan_defaults

MONTH = timedelta(days=30)
MAX_RUNS = 1_000_000
WHOLE_FROM = 100  # numbers from here on have no decimals


class RequestCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one request costs, or why it would be refused."""

    request: str  # its name or document
    accepted: bool
    runs: int = 0
    usd: Range | None = None  # of all runs
    estimate: CostEstimate | None = None  # of one run
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


class CostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every request of one call is estimated with."""

    permissions: Permissions
    defaults: ScanDefaults
    prices: PriceList
    limit: CostLimit  # with the shape of the stack
    live: Range
    runs: int | None  # None: one, or those of a schedule


def run(args: Namespace) -> int:
    """Exit code 0: every request is estimated. 2: one of them would be refused."""
    settings = _read_settings(args)
    costs = [estimate_request(name, body, settings) for name, body in _read_bodies(args).items()]
    age_note = settings.prices.describe_age(utc_now().date())
    accepted = all(cost.accepted for cost in costs)
    total = sum((cost.usd for cost in costs if cost.usd), start=exactly(0))
    if args.json:
        print_json(
            {
                "accepted": accepted,
                "usd": round_range(total),
                "prices": {"date": settings.prices.checked_on.isoformat(), "regions": settings.prices.regions},
                "notes": [age_note] if age_note else [],
                "requests": costs,
            }
        )
    else:
        if age_note:
            print_message(f"note: {age_note}")
        for cost in costs:
            _print(cost, has_heading=len(costs) > 1)
        if len(costs) > 1:
            print(f"all together: {format_usd(total)}")
        regions = ", ".join(settings.prices.regions)
        print_message(printable(f"prices of {settings.prices.checked_on}, {regions}"))
    return 0 if accepted else EXIT_REFUSED


def _read_settings(args: Namespace) -> CostSettings:
    """Raises: BadInput: an option or the price file is wrong."""
    if args.live_share is not None and not 0 <= args.live_share <= 1:
        raise BadInput(f"--live-share {args.live_share}: must be from 0 to 1")
    if args.runs is not None and not 1 <= args.runs <= MAX_RUNS:
        raise BadInput(f"--runs {args.runs}: must be from 1 to {MAX_RUNS}")
    return CostSettings(
        permissions=read_permissions(args),
        defaults=read_scan_defaults(args),
        prices=read_price_file(args.prices),
        limit=read_cost_limit(args),
        live=LIVE if args.live_share is None else exactly(args.live_share),
        runs=args.runs,
    )


def _read_bodies(args: Namespace) -> dict[str, str]:
    """Each request of the command line or of the file, by a name for its heading.

    Raises: BadInput: there is none, or both are given.
    """
    if args.vuls and not (args.file or args.nmap_arguments or args.targets_file):
        try:
            return read_vuls_requests(args.vuls, args.targets)
        except RequestRefused as refused:
            raise BadInput(f"{args.vuls}: {'; '.join(refused.reasons)}") from refused
    if args.vuls or bool(args.file) == bool(args.targets or args.targets_file or args.nmap_arguments):
        raise BadInput("name either targets or a file (-f FILE, --vuls FILE)")
    if not args.file:
        return {"request": json.dumps(build_request(args))}
    bodies = split_requests(args.file, read_request_file(args.file))
    return {f"document {number}": body for number, body in enumerate(bodies, start=1)}


def estimate_request(name: str, body: str, settings: CostSettings) -> RequestCost:
    """The cost of a scan request or of a schedule's runs; or the refusals."""
    try:
        schedule = _find_schedule(body)
        if schedule:
            now = utc_now()
            body, runs = json.dumps(build_run_request(schedule, now)), count_runs(schedule, now)
        else:
            runs = 1
        read = read_request(body, is_issued=schedule is not None)
        planned = plan(read.request, settings.permissions, settings.defaults)
    except RequestRefused as refused:
        return RequestCost(request=name, accepted=False, refusals=refused.refusals)
    estimate = estimate_cost(planned, settings.prices, settings.limit.shape, settings.live)
    refusals = _find_budget_refusals(read.request, planned, settings.limit)
    runs = settings.runs or runs
    return RequestCost(
        request=name,
        accepted=not refusals,
        runs=runs,
        usd=round_range(estimate.usd.scale(runs)),
        estimate=estimate,
        refusals=refusals,
        notes=tuple(dict.fromkeys((*(schedule.notes if schedule else ()), *read.notes))),
    )


def _find_budget_refusals(request: ScanRequest, planned: Plan, limit: CostLimit) -> tuple[Refusal, ...]:
    """Why the stack would refuse the plan for its cost; it has prices and a share of live hosts of its own."""
    try:
        require_budget(request, [planned], limit)
    except RequestRefused as refused:
        return refused.refusals
    return ()


def _find_schedule(body: str) -> Schedule | None:
    """The schedule of a ScheduledScan manifest; None: it is something else.

    Raises: RequestRefused: it is one, and it is wrong.
    """
    try:
        (document,) = read_documents(body)
    except (RequestRefused, ValueError):
        return None
    return read_schedule(document) if document.get("kind") == SCHEDULE_KIND else None


def count_runs(schedule: Schedule, now: datetime) -> int:
    """How often the schedule starts a scan in the 30 days from `now`."""
    return sum(1 for _ in takewhile(lambda due_at: due_at <= now + MONTH, next_times(schedule, now, now)))


def _print(cost: RequestCost, *, has_heading: bool) -> None:
    if has_heading:
        print(printable(cost.request))
    for refusal in cost.refusals:
        print_message(f"refused ({refusal.rule}): {refusal.reason}")
    if cost.estimate is None or cost.usd is None:
        return
    estimate = cost.estimate
    print_table(("ITEM", "LOW", "HIGH", "UNIT", "USD LOW", "USD HIGH"), _rows(estimate))
    print_table(
        ("ASSUMPTION", "VALUE", "REASON"),
        ((assumption.name, assumption.value, assumption.reason) for assumption in estimate.assumptions),
    )
    for note in dict.fromkeys((*cost.notes, *estimate.notes)):
        print_message(f"note: {note}")
    addresses = pluralize(estimate.addresses, "address", "addresses")
    minutes, elapsed = estimate.nmap_minutes, estimate.elapsed_minutes
    print(f"{addresses}, {pluralize(estimate.shards, 'shard')}, {estimate.lane} lane")
    print(f"nmap runs for {format_quantity(minutes.low)} to {format_quantity(minutes.high)} minutes", end="; ")
    print(f"first to last shard: {format_quantity(elapsed.low)} to {format_quantity(elapsed.high)} minutes")
    print(f"one run: {format_usd(estimate.usd)}")
    if cost.runs != 1:
        print(f"{cost.runs} runs: {format_usd(cost.usd)}")


def _rows(estimate: CostEstimate) -> Sequence[Sequence[str]]:
    return [
        (
            item.item,
            format_quantity(item.quantity.low),
            format_quantity(item.quantity.high),
            item.unit,
            f"{item.usd.low:.5f}",
            f"{item.usd.high:.5f}",
        )
        for item in estimate.items
    ]


def format_quantity(number: float) -> str:
    """Three significant digits, without an exponent: `24,900`, `0.000051`."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= WHOLE_FROM else f"{rounded:.9f}".rstrip("0").rstrip(".")


def format_usd(usd: Range) -> str:
    """`0.0003 to 0.03 USD`: cents, and of less than a dollar two digits that are not zero."""
    return f"{_format_amount(usd.low)} to {_format_amount(usd.high)} USD"


def _format_amount(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= 1 else f"{float(f'{usd:.2g}'):.6f}".rstrip("0").rstrip(".")
