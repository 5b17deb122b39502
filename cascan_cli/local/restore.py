"""In the emulator: restore the saved state of a service when the service is loaded.

The emulator saves a file for each service, and at its start loads every service that has a file:
0.7 s of processor time, most of it for services that a running stack does not use. CloudFormation
loads all the others, and is used by deployments alone. After `restore_on_import`, the emulator
starts with NEEDED, and any other service is restored at the end of its first import. What was not
loaded is not saved either: its file stays as it is.

This script imports nothing of the project.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

PACKAGE = "ministack.services."
# They act by themselves: poll queues, keep time, deliver events, count what expires
NEEDED = ("sqs", "dynamodb", "s3", "lambda_svc", "eventbridge", "scheduler", "ecs")
WAKE_GAP_S = 0.005  # instead of 0.05
logger = logging.getLogger("persistence")


def restore_on_import(app: Any) -> None:
    """Change how the emulator (its module `app`) restores its state."""
    keys: dict[str, list[str]] = {}  # of the saved files, by module
    for key, module in app._state_map.items():  # noqa: SLF001 - the emulator has no other way
        keys.setdefault(PACKAGE + module, []).append(key)
    restored = set(sys.modules) & set(keys)
    for name in restored:
        _restore(app, sys.modules[name], keys[name])
    sys.meta_path.insert(0, _Finder(app, {name: keys[name] for name in keys.keys() - restored}))

    def load_needed() -> None:
        gc.disable()  # it would look through a large state again and again, while that is read
        for name in NEEDED:
            app._get_module(name)  # noqa: SLF001
        gc.freeze()
        gc.enable()
        # After a look at the queues that found nothing, it waits before it reacts to another message
        app._get_module("lambda_svc")._ESM_IDLE_WAKE_GAP_SECONDS = WAKE_GAP_S  # noqa: SLF001

    app._load_persisted_state = load_needed  # noqa: SLF001


def _restore(app: Any, module: Any, keys: Sequence[str]) -> None:
    for key in keys:
        data = app.load_state(key)
        if data:
            try:
                module.load_persisted_state(data)
            except Exception:
                logger.exception("persistence: the saved state of %s cannot be restored", key)


class _Finder(MetaPathFinder):
    """Finds the services with a saved state, and lets them restore it after their import."""

    def __init__(self, app: Any, keys: dict[str, list[str]]) -> None:
        self._app = app
        self._keys = keys

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        keys = self._keys.get(name)
        spec = PathFinder.find_spec(name, path, target) if keys else None
        if spec is None or spec.loader is None or keys is None:
            return None
        spec.loader = _RestoringLoader(self._app, spec.loader, keys)
        return spec


class _RestoringLoader(Loader):
    def __init__(self, app: Any, loader: Loader, keys: Sequence[str]) -> None:
        self._app = app
        self._loader = loader
        self._keys = keys

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _restore(self._app, module, self._keys)
