"""Explain a manifest without storing or sending it. A request from options needs none of this."""

from __future__ import annotations

import json
from argparse import Namespace

from msgspec.structs import replace

from cascan.cascades.rule import KIND as RULE_KIND
from cascan.cascades.rule import read_rule
from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents
from cascan.planning.explain import Explanation
from cascan.schedules.due import build_run_request
from cascan.schedules.form import KIND as SCHEDULE_KIND
from cascan.schedules.form import read_schedule
from cascan_cli.stack.explain_request import explain_request


def explain_manifest(body: str, args: Namespace) -> Explanation:
    """Explain any manifest that `cascan apply` takes: a scan, a schedule by its scans, or a rule."""
    try:
        (document,) = read_documents(body)
    except (RequestRefused, ValueError):
        return explain_request(body, args)
    try:
        if document.get("kind") == RULE_KIND:
            rule = read_rule(document)
            note = f"cascan apply would store the rule {rule.name}; cascan rules test shows what it starts"
            return Explanation(accepted=True, notes=(*rule.notes, note))
        if document.get("kind") == SCHEDULE_KIND:
            schedule = read_schedule(document)
            explained = explain_request(json.dumps(build_run_request(schedule, utc_now())), args, is_issued=True)
            note = f"this is a scan of the schedule {schedule.name}; cascan apply stores the schedule"
            notes = dict.fromkeys((*schedule.notes, *explained.notes))
            return replace(explained, notes=(*notes, note))
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    return explain_request(body, args)
