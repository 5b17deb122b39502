"""A service in a report → what the inventory and the history keep of it."""

from __future__ import annotations

from functools import lru_cache

from cascan.limits import MAX_CPES_PER_SERVICE, MAX_SERVICE_CHARS
from cascan.model.history import SeenService
from cascan.model.host import Service

MAX_CACHED = 1_024  # services; most hosts of a report share a few
NO_SERVICE = SeenService()
# nmap's name for a connection that was closed before any data: not a service
SILENT_SERVICE = "tcpwrapped"


@lru_cache(maxsize=MAX_CACHED)
def to_seen_service(service: Service) -> SeenService:
    cpe = tuple(name for name in service.cpe if len(name) <= MAX_SERVICE_CHARS)
    return SeenService(
        name=service.common_name[:MAX_SERVICE_CHARS],
        product=service.product[:MAX_SERVICE_CHARS],
        version=service.version[:MAX_SERVICE_CHARS],
        extrainfo=service.extrainfo[:MAX_SERVICE_CHARS],
        tunnel=service.tunnel[:MAX_SERVICE_CHARS],
        cpe=cpe[:MAX_CPES_PER_SERVICE],
        probed=service.method == "probed" and service.name != SILENT_SERVICE,
    )
