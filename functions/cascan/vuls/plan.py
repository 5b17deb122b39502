"""What one server is asked, and why some of its listeners are not.

An address outside the scope is left out before the request is sent, so that the others of the server
are asked: a request with such an address is refused as a whole. The planner judges every request
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from cascan.forms.vuls import VulsRequests
from cascan.vuls.destinations import Destinations, find_places
from cascan.vuls.reachability import PortStates
from cascan.vuls.requests import ServerRequest, build_requests
from cascan.vuls.results import VulsResults

FindRefusal = Callable[[str], str | None]  # why an address may not be scanned; None: it may


class ServerPlan(msgspec.Struct, frozen=True):
    is_local: bool
    requests: tuple[ServerRequest, ...]
    refused: Mapping[str, str]  # address → why it is not asked

    def states(self, *answers: PortStates) -> PortStates:
        """What all scans of the server say, with what was not asked at all."""
        merged = PortStates(problems=self.refused)
        for answer in answers:
            merged = replace(
                merged, states={**merged.states, **answer.states}, problems={**merged.problems, **answer.problems}
            )
        return merged


def find_section(results: VulsResults, settings: VulsRequests) -> str:
    """The section of config.toml that the results are of; empty: there is none.

    Of a network in `host` Vuls makes servers named `section(address)`.
    """
    section = results.server.partition("(")[0] if results.server.endswith(")") else results.server
    return next((name for name in (results.server, section) if name in settings.documents), "")


def plan_server(results: VulsResults, section: str, settings: VulsRequests, find_refusal: FindRefusal) -> ServerPlan:
    is_local = section in settings.local_servers
    places = find_places(results, is_local=is_local)
    destinations = places.destinations(results.listeners)
    refused = {address: reason for address in destinations if (reason := find_refusal(address))}
    permitted: Destinations = {address: ports for address, ports in destinations.items() if address not in refused}
    document: Mapping[str, Any] = settings.documents[section]
    return ServerPlan(is_local, tuple(build_requests(results.label, document, permitted)), refused)
