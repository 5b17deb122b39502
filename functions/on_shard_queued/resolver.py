"""Names → addresses, by the system's resolver."""

from __future__ import annotations

import socket

from cascan.errors import GatewayUnavailable

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
NO_SUCH_NAME = {socket.EAI_NONAME, socket.EAI_NODATA, getattr(socket, "EAI_ADDRFAMILY", socket.EAI_NONAME)}


class SystemResolver:
    def addresses(self, name: str, family: int) -> tuple[str, ...]:
        """All of them, so that all are judged: an answer of DNS holds a few thousand at most.

        Raises: GatewayUnavailable: the resolver had no answer, for now.
        """
        try:
            found = socket.getaddrinfo(name, None, FAMILIES[family], socket.SOCK_STREAM)
        except (UnicodeError, socket.gaierror) as exc:
            if isinstance(exc, socket.gaierror) and exc.errno not in NO_SUCH_NAME and exc.errno != socket.EAI_FAIL:
                raise GatewayUnavailable(f"resolver: {name}: {exc.strerror}") from exc
            return ()
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
