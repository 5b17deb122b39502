"""Logger, metrics, tracing and the SQS handler of all functions.

Only this module and the app.py files use Powertools.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan import stored
from cascan.aws import clients
from cascan.errors import Rejected, UnreadableItem
from cascan.log_context import add_log_context, clear_log_context, read_log_context
from cascan.traces import build_segment
from edge.daemon import send_to_daemon
from edge.logs import build_logger, format_libraries, is_on_lambda

clients.load()
Handler = Callable[[dict[str, Any], LambdaContext], Any]

UNITS = {"NmapSeconds": MetricUnit.Seconds, "ReportBytes": MetricUnit.Bytes}  # others are counts
logger, metrics = build_logger(), Metrics()
if is_on_lambda():
    format_libraries(logger)
if METRICS_STACK := os.environ.get("METRICS_STACK"):  # a second dimension; Powertools adds `service`
    metrics.set_default_dimensions(stack=METRICS_STACK)
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def count(metric: str, number: float = 1) -> None:
    """Add to a metric of this invocation."""
    metrics.add_metric(metric, UNITS.get(metric, MetricUnit.Count), number)


def _report_unreadable(error: UnreadableItem) -> None:
    logger.error("stored item cannot be read", extra={"reason": str(error)})
    count("ItemsUnreadable")


stored.listen(_report_unreadable)


def is_tracing() -> bool:
    return is_on_lambda() and os.environ.get("POWERTOOLS_TRACE_DISABLED") != "true"


def trace_calls(handler: Handler) -> Handler:
    """On Lambda, trace each invocation and its calls to AWS. Elsewhere importing the X-Ray SDK would cost 0.15 s."""
    if not is_tracing():
        return handler
    from aws_lambda_powertools import Tracer  # noqa: PLC0415 - 0.15 s

    traced_handler: Handler = Tracer(patch_modules=["botocore"]).capture_lambda_handler(handler)
    return traced_handler


@contextmanager
def observe_message(message_id: str) -> Iterator[None]:
    """Log lines inside have the message's id, and each id that the work adds to the log context.

    Afterwards the scan's trace gets a segment (cascan/traces.py).
    """
    clear_log_context()
    add_log_context(message_id=message_id)
    started_at, failed = time.time(), True
    try:
        yield
        failed = False
    finally:
        _send_segment(started_at, failed=failed)
        clear_log_context()


def _send_segment(started_at: float, *, failed: bool) -> None:
    if os.environ.get("POWERTOOLS_TRACE_DISABLED") == "true":
        return
    times = {"started_at": started_at, "ended_at": time.time()}
    segment = build_segment(logger.service, read_log_context(), failed=failed, **times)
    if segment:
        send_to_daemon(segment)


def instrument(handler: Handler) -> Handler:
    """Add the invocation's context to the log, trace it, and publish its metrics."""
    logged: Handler = logger.inject_lambda_context(trace_calls(metrics.log_metrics(handler)))
    return logged


def seconds_left(context: LambdaContext) -> Callable[[], float]:
    """A function that returns the seconds until Lambda stops this invocation."""
    return lambda: context.get_remaining_time_in_millis() / 1000


def queue_handler(
    on_record: Callable[..., None],
    wire: Callable[[], object],
    after_batch: Callable[[LambdaContext], None] | None = None,
    park: Callable[[str, str], None] | None = None,
) -> Handler:
    """A handler of SQS batches: calls `on_record` for each message; only the failed ones return to the queue.

    `after_batch` is called after all messages, for work that may be left undone. `park` moves a message's body and a
    reason to the dead-letter queue: a message that no retry can help is parked at once. Without `park` it is retried.

    An empty batch only wires the function: this starts it before its first message.
    """
    on_message = _log_failures(on_record, park)

    def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        if event.get("Records") == []:
            wire()
            count("WarmedUp")
            return {"batchItemFailures": []}
        response = process_partial_response(event, on_message, processor, context)
        count("MessagesFailed", len(response["batchItemFailures"]))
        if after_batch:
            after_batch(context)
        return response

    return instrument(handler)


def _log_failures(on_record: Callable[..., None], park: Callable[[str, str], None] | None) -> Callable[..., None]:
    """Log why a message failed, which the batch processor does not, and count rejected ones."""

    @wraps(on_record)
    def on_message(record: Any, **context: Any) -> None:
        with observe_message(record.message_id):
            try:
                on_record(record, **context)
            except Rejected as exc:
                logger.error("message rejected", extra={"reason": str(exc)})
                count("MessagesRejected")
                if park is None:
                    raise
                park(record.body, str(exc))
            except Exception:
                logger.exception("message failed")
                raise

    return on_message
