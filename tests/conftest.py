"""What tests of several kinds share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.lab import Lab, NoLab, lab
from tests.support import soak

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    soak.parametrize(metafunc)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        soak.note_seeds(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    if lines := soak.summary(reports):
        terminalreporter.section("seeds")
        terminalreporter.write_line("\n".join(lines))
