"""`python -m tests.exposure_month [SEEDS]`: the table of so many months (20) under several conditions."""

from __future__ import annotations

import sys

from tests.exposure_month.month import Conditions, Result, run_months

SEEDS = 20
CONDITIONS = {
    "no loss": Conditions(loss=0),
    "5 %, closed ports answer": Conditions(),
    "5 %, second look at once": Conditions(confirms=True),
    "5 %, closed ports dropped": Conditions(rejects=False),
    "5 %, dropped, at once": Conditions(rejects=False, confirms=True),
    "10 %, closed ports answer": Conditions(loss=0.10),
}
TITLES = ("conditions", "looks", "wrong", "drifts", "at 1st", "at 2nd", "later", "false alarms", "false all-clears")


def to_row(name: str, result: Result) -> tuple[object, ...]:
    told = result.told_at
    later = sum(count for scan, count in told.items() if scan > 2)
    return (
        name,
        result.looks,
        result.wrong_looks,
        result.drifts,
        told[1],
        told[2],
        later,
        result.false_alarms,
        result.false_all_clears,
    )


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    print("| " + " | ".join(TITLES) + " |")
    print("|---" * len(TITLES) + "|")
    for name, conditions in CONDITIONS.items():
        result = run_months(range(seeds), conditions)
        print("| " + " | ".join(map(str, to_row(name, result))) + " |", flush=True)
        if result.disagreements:
            print(f"  {result.disagreements} times a check of the same looks said something else")


if __name__ == "__main__":
    main()
