"""What tests of several kinds share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.lab import Lab, NoLab, lab
from tests.support import recorded_calls, soak

# The same examples in every run, and none is judged by how long it takes; `--hypothesis-profile explore` tries others.
settings.register_profile("explore", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")

# A local stack ends with the command or block that started it, unless a test says otherwise.
os.environ["CASCAN_LOCAL_KEEP"] = "0"

UNUSED_CALLS = pytest.StashKey[list[str]]()


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


def pytest_collection_finish() -> None:
    """Have the garbage collector leave the modules and tests alone: half a million objects that stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    recorded_calls.take_over(node)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist sends the output of its process, and before the summary
def pytest_sessionfinish(session: pytest.Session) -> None:
    recorded_calls.hand_over(session.config)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    passed = [report.nodeid for report in reporter.stats.get("passed", ())] if reporter else []
    if not hasattr(session.config, "workerinput"):
        has_passed = session.exitstatus == pytest.ExitCode.OK
        complete = has_passed and recorded_calls.is_complete(session.config, passed)
        session.stash[UNUSED_CALLS] = recorded_calls.finish(complete=complete)
        if session.stash[UNUSED_CALLS]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    session: Any = terminalreporter._session
    if unused := session.stash.get(UNUSED_CALLS, []):
        terminalreporter.section(f"calls in {recorded_calls.FILE.name} that no test made", red=True)
        terminalreporter.write_line("\n".join([*unused, f"write it anew: {recorded_calls.COMMAND}"]))
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    if lines := soak.summary(reports):
        terminalreporter.section("seeds")
        terminalreporter.write_line("\n".join(lines))
