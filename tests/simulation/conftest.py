"""What the tests of the simulation share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Workers warn of every mishap, and there are thousands."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
