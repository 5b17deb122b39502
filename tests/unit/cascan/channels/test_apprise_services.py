"""A channel of Apprise says what it knows of a message, and nothing of the URLs of its services.

The library is not among the dependencies of the tests; a stand-in has the part of it that is called.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.channels.apprise_services import AppriseChannel
from cascan.limits import MAX_APPRISE_SERVICES
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage

FILE = "/etc/cascan/apprise.yaml"
SECRET = "mailto://user:secret@example.com"
MESSAGE = OutgoingMessage(
    message_id="m-1", key="exposure/a", title="Confirmed: a", body="Confirmed: a\ntcp/23 is open\n"
)


class Library:
    """The stand-in. `answer`: of `notify`; an exception is raised."""

    NotifyFormat = SimpleNamespace(TEXT="text")

    def __init__(self, answer: Any = True, services: int = 1) -> None:
        self.answer, self.services = answer, [SECRET] * services
        self.sent: list[dict[str, Any]] = []

    def AppriseConfig(self, paths: str) -> Any:  # noqa: N802 - a class of the library
        if isinstance(self.services, Exception):
            raise self.services
        assert paths == FILE
        return SimpleNamespace(services=lambda: self.services)

    def Apprise(self, services: list[str]) -> Any:  # noqa: N802 - a class of the library
        assert services == self.services
        return SimpleNamespace(notify=self._notify)

    def _notify(self, **message: Any) -> Any:
        self.sent.append(message)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def send(monkeypatch: pytest.MonkeyPatch, library: object) -> Delivery:
    monkeypatch.setitem(sys.modules, "apprise", library)
    delivery = AppriseChannel(FILE).send(MESSAGE)
    assert "secret" not in delivery.reason
    return delivery


def test_a_message_is_plain_text_and_has_its_title_once(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    assert send(monkeypatch, library) == Delivery(DeliveryState.DELIVERED)
    assert library.sent == [{"title": "Confirmed: a", "body": "tcp/23 is open", "body_format": "text"}]


@pytest.mark.parametrize("answer", [False, None, RuntimeError(SECRET)])
def test_what_may_have_arrived_at_some_service_is_unknown(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert send(monkeypatch, Library(answer)).state is DeliveryState.UNKNOWN


@pytest.mark.parametrize(
    ("services", "state"), [(0, DeliveryState.BUSY), (MAX_APPRISE_SERVICES + 1, DeliveryState.REFUSED)]
)
def test_a_file_without_services_or_with_too_many_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, services: int, state: DeliveryState
) -> None:
    library = Library(services=services)
    assert (send(monkeypatch, library).state, library.sent) == (state, [])


def test_a_file_that_breaks_the_library_is_named_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    library.services = ValueError(SECRET)  # type: ignore[assignment]  # AppriseConfig raises it
    assert send(monkeypatch, library) == Delivery(DeliveryState.BUSY, f"{FILE} cannot be read: ValueError")


def test_without_the_library_the_message_waits_with_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = send(monkeypatch, None)
    assert delivery.state is DeliveryState.BUSY
    assert "pip install 'cascan[apprise]'" in delivery.reason
