"""What tests of several kinds share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.lab import Lab, NoLab, lab

# The same examples in every run, and none is judged by how long it takes; `--hypothesis-profile explore` tries others.
settings.register_profile("explore", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def network_lab() -> Iterator[Lab]:
    """Hosts of several kinds on a network of their own: see tests/lab. Skips where namespaces are not permitted."""
    try:
        with lab() as hosts:
            if hosts.missing:
                pytest.skip(f"no lab: its hosts need more: ./.ci/install {' '.join(hosts.missing)}")
            yield hosts
    except NoLab as exc:
        pytest.skip(f"no lab: {exc}")
