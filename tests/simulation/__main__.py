"""Replay a seed: `PYTHONPATH=functions:. python -m tests.simulation SEED [-v]`; -v prints everything that happened.

`python -m tests.simulation FIRST LAST` runs a range and names the seeds that break a promise. With --turns reports are
recorded in turns; with --mishaps much more goes wrong; with --dynamodb the scan table is the real one, on moto.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import nullcontext

from tests.simulation.harder import WorldInTurns, WorldOfMishaps
from tests.simulation.invariants import problems
from tests.simulation.real_table import WorldOnDynamo, an_account
from tests.simulation.world import World

KINDS: dict[str, type[World]] = {"--turns": WorldInTurns, "--mishaps": WorldOfMishaps, "--dynamodb": WorldOnDynamo}


def broken(seed: int, kind: type[World] = World) -> tuple[list[str], World]:
    world = kind(seed)
    try:
        world.run()
    except Exception as exc:  # noqa: BLE001 - whatever it is, the seed is worth a look
        return [repr(exc)], world
    return problems(world), world


def main(argv: list[str]) -> int:
    seeds = [int(word) for word in argv if word.isdigit()]
    verbose, kind = "-v" in argv, next((KINDS[word] for word in argv if word in KINDS), World)
    logging.disable()
    started, bad = time.perf_counter(), 0
    for seed in range(seeds[0], seeds[-1] + 1):
        with an_account() if kind is WorldOnDynamo else nullcontext():
            found, world = broken(seed, kind)
        bad += bool(found)
        if verbose:
            print("\n".join(world.clockwork.trace))
        for problem in found:
            print(f"seed {seed}: {problem}")
    runs = seeds[-1] - seeds[0] + 1
    print(f"{runs} runs, {bad} broke a promise, {(time.perf_counter() - started) / runs * 1000:.0f} ms each")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
