"""Work on a request without side effects: an error would come again, so it refuses the request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cascan.cpu_limit import CpuLimitReached, cpu_limit
from cascan.errors import CascanError, RequestRefused
from cascan.limits import PLANNING_SECONDS
from cascan.model.refusal import Rule

TOO_MUCH = f"planning it takes more than {PLANNING_SECONDS:g} s of processor time; ask for less in one request"
logger = logging.getLogger(__name__)


@contextmanager
def bounded_work() -> Iterator[None]:
    """Raises: RequestRefused: what was wrong with the request; it took too long; or cascan has a fault."""
    try:
        with cpu_limit(PLANNING_SECONDS):
            yield
    except CascanError:
        raise
    except CpuLimitReached as exc:
        raise RequestRefused([TOO_MUCH], Rule.LIMIT) from exc
    except Exception as exc:
        logger.exception("a request cannot be planned")
        fault = f"cascan cannot plan it: {type(exc).__name__}; this is a fault of cascan's, and the log has the cause"
        raise RequestRefused([fault]) from exc
