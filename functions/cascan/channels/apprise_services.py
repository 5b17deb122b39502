"""The services of a configuration file of Apprise, on one machine: mail, chats, telephones.

The file has their URLs with their secrets. It is read for each message, and nothing of it is logged.
Apprise escapes plain text for each service that reads HTML or Markdown.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from cascan.limits import MAX_APPRISE_SERVICES
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage

PACKAGE = "apprise"
MISSING = "Apprise is not installed; install it with: pip install 'cascan[apprise]'"


class AppriseChannel:
    """MessageChannel through the Apprise library, which does not report which services have a message."""

    def __init__(self, config_file: str) -> None:
        self._config_file = config_file

    def send(self, message: OutgoingMessage) -> Delivery:
        try:
            apprise: Any = import_module(PACKAGE)
        except ImportError:
            return Delivery(DeliveryState.BUSY, MISSING)
        # Its log lines would quote URLs
        logging.getLogger(PACKAGE).setLevel(logging.CRITICAL + 1)
        try:
            config = apprise.AppriseConfig(paths=self._config_file)
            services = list(config.services())
        except Exception as exc:  # noqa: BLE001 - of a plugin, while it reads its URL: nothing was sent
            return Delivery(DeliveryState.BUSY, f"{self._config_file} cannot be read: {type(exc).__name__}")
        if not services:
            return Delivery(DeliveryState.BUSY, f"{self._config_file} has no service that Apprise can use")
        if len(services) > MAX_APPRISE_SERVICES:
            excess = f"has {len(services)} services, more than {MAX_APPRISE_SERVICES}"
            return Delivery(DeliveryState.REFUSED, f"{self._config_file} {excess}")
        return self._notify(apprise, services, message)

    def _notify(self, apprise: Any, services: list[Any], message: OutgoingMessage) -> Delivery:
        body = message.body.removeprefix(message.title).strip("\n") or message.title
        try:
            has_arrived = apprise.Apprise(services).notify(
                title=message.title, body=body, body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as exc:  # noqa: BLE001 - of a plugin, whose sentence may have the URL
            return Delivery(DeliveryState.UNKNOWN, f"Apprise failed with {type(exc).__name__}")
        if has_arrived:
            return Delivery(DeliveryState.DELIVERED)
        return Delivery(DeliveryState.UNKNOWN, "Apprise reports that a service failed; others may have the message")
