"""A channel that cannot be used as it is configured: its messages wait, and then are parked, with the reason."""

from __future__ import annotations

from cascan.model.message import Delivery, DeliveryState, OutgoingMessage


class UnusableChannel:
    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, message: OutgoingMessage) -> Delivery:
        return Delivery(DeliveryState.BUSY, f"{message.message_id} was not sent: {self._reason}")
