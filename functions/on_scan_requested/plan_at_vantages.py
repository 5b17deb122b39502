"""A request → one plan for each vantage that it names; one for the stack's own workers if it names none.

Each plan is the plan of a scan of its own. Together they have the rates of the request, and its
number of shards at once.
"""

from __future__ import annotations

from cascan.errors import RequestRefused
from cascan.gateways import Vantages
from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.vantage import DEFAULT_VANTAGE, Vantage
from cascan.permissions.permissions import Permissions
from cascan.planning.plan import Plan, plan
from cascan.planning.rates import ScanDefaults


def plan_at_vantages(
    request: ScanRequest,
    permissions: Permissions,
    defaults: ScanDefaults,
    vantages: Vantages,
) -> tuple[Plan, ...]:
    """The plans, in the order in which the request names the vantages.

    Raises:
        RequestRefused: a vantage is not known, or the request is refused at one of them.
    """
    names = request.vantage or (DEFAULT_VANTAGE,)
    records = {name: _find_vantage(name, vantages) for name in names}
    if len(names) > 1:
        _require_shards(request, len(names))
    plans, refusals = [], list[Refusal]()
    for record in records.values():
        permitted = permissions.at_vantage(record) if record else permissions
        try:
            plans.append(plan(request, permitted, defaults, members=len(names)))
        except RequestRefused as refused:
            refusals += refused.refusals
    if refusals:  # most are the same at every vantage
        raise RequestRefused(tuple(dict.fromkeys(refusals))[: MAX_REASONS + 1])
    return tuple(plans)


def _find_vantage(name: str, vantages: Vantages) -> Vantage | None:
    """The vantage; None: the stack's own workers. Raises: RequestRefused: there is none of this name."""
    if name == DEFAULT_VANTAGE:
        return None
    record = vantages.get_vantage(name)
    if record is not None and record.removed_at is None:
        return record
    known = [DEFAULT_VANTAGE, *(other.name for other in vantages.vantages() if other.removed_at is None)]
    reason = f"vantage: {name} is not known here; known are {', '.join(known)}; `cascan vantage add` makes one known"
    raise RequestRefused([Refusal("vantage", Rule.FIELD, reason)])


def _require_shards(request: ScanRequest, members: int) -> None:
    """Raises: RequestRefused: fewer shards at once are requested than there are vantages."""
    at_once = request.max_parallel_shards
    if at_once is not None and at_once < members:
        reason = f"maxParallelShards: {at_once} is less than one for each of {members} vantages"
        raise RequestRefused([Refusal("maxParallelShards", Rule.FIELD, reason)])
