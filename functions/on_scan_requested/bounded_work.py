"""Work on a request that has no side effects.

An error would occur again, so it refuses the request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cascan.cpu_limit import CpuLimitReached, cpu_limit
from cascan.errors import CascanError, RequestRefused
from cascan.limits import PLANNING_SECONDS
from cascan.model.refusal import Rule

LIMIT = f"{PLANNING_SECONDS:g} s of processor time"
TOO_MUCH = f"planning it takes more than {LIMIT}; ask for less in one request"
FAULT = "this is a fault of cascan's, and the log has the cause"
logger = logging.getLogger(__name__)


@contextmanager
def bounded_work() -> Iterator[None]:
    """Limit the processor time of the work inside, and turn its errors into refusals.

    Raises: RequestRefused: the request is wrong, or takes too long; or cascan has a fault.
    """
    try:
        with cpu_limit(PLANNING_SECONDS):
            yield
    except CascanError:
        raise
    except CpuLimitReached as exc:
        raise RequestRefused([TOO_MUCH], Rule.LIMIT) from exc
    except Exception as exc:
        logger.exception("a request cannot be planned")
        raise RequestRefused([f"cascan cannot plan it: {type(exc).__name__}; {FAULT}"]) from exc
