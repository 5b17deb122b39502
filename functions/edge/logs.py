"""Log lines as JSON, one object a line, with the ids of what they are about."""

from __future__ import annotations

import json
import logging
import os
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from cascan.log_context import LOG_CONTEXT_FILTER

# ASCII alone: text of requests and of scanned hosts may hold control characters of terminals
TO_LINE = partial(json.dumps, default=str, separators=(",", ":"))


def build_logger(service: str | None = None) -> Logger:
    """A logger with fields level, time, service and message, and those of the log context.

    None: the service is named by POWERTOOLS_SERVICE_NAME.
    """
    options: dict[str, Any] = {"json_serializer": TO_LINE, "utc": True, "use_rfc3339": True}
    logger = Logger(service=service, **options)
    logger.registered_handler.addFilter(LOG_CONTEXT_FILTER)
    return logger


def format_libraries(logger: Logger) -> None:
    """Let libraries log through the handler of this logger, so that their lines are JSON as well.

    In a process of its own only: elsewhere the root logger belongs to someone else.
    """
    logging.getLogger(logger.service).propagate = False  # its own lines once
    logging.getLogger().handlers[:] = [logger.registered_handler]


def is_on_lambda() -> bool:
    return "LAMBDA_TASK_ROOT" in os.environ
