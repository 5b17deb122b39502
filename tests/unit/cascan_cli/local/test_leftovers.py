"""What killed processes left in the scratch folder: gone by kind, number and age."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cascan_cli.local.leftovers import (
    LONGEST_EXPRESS_S,
    MAX_UNPACKED,
    MAX_UNPACKED_AGE_S,
    clear_scratch,
    sweep_scratch,
)


def a_folder(tmp: Path, name: str, age_s: float = 0) -> Path:
    folder = tmp / name
    folder.mkdir()
    (folder / "report.xml").write_bytes(b"x" * 1000)
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder


@pytest.mark.parametrize("name", ["shard-abc", "task-1", "tmpxyz"])
def test_what_a_killed_worker_or_function_wrote_is_gone_before_the_next_run(tmp_path: Path, name: str) -> None:
    a_folder(tmp_path, name)
    (tmp_path / "a file").write_text("left")
    clear_scratch(tmp_path, everything=False)
    assert list(tmp_path.iterdir()) == []


def test_unpacked_functions_stay_until_they_are_many_or_old(tmp_path: Path) -> None:
    few = [a_folder(tmp_path, f"ministack-lambda-{number}") for number in range(MAX_UNPACKED - 1)]
    clear_scratch(tmp_path, everything=False)
    assert sorted(tmp_path.iterdir()) == sorted(few)

    os.utime(few[0], (time.time() - MAX_UNPACKED_AGE_S - 60,) * 2)
    clear_scratch(tmp_path, everything=False)
    assert sorted(tmp_path.iterdir()) == sorted(few[1:])

    for number in range(2):
        a_folder(tmp_path, f"ministack-lambda-more-{number}")
    clear_scratch(tmp_path, everything=False)
    assert list(tmp_path.iterdir()) == []


def test_where_room_is_short_everything_goes(tmp_path: Path) -> None:
    a_folder(tmp_path, "ministack-lambda-a")
    clear_scratch(tmp_path, everything=True)
    assert list(tmp_path.iterdir()) == []


def test_a_link_out_of_the_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    outside = a_folder(tmp_path, "outside")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "shard-link").symlink_to(outside)
    clear_scratch(scratch, everything=True)
    assert list(scratch.iterdir()) == []
    assert (outside / "report.xml").exists()


def test_a_sweep_takes_the_shards_that_no_function_can_still_use(tmp_path: Path) -> None:
    live, code = a_folder(tmp_path, "shard-live"), a_folder(tmp_path, "ministack-lambda-a", LONGEST_EXPRESS_S + 60)
    a_folder(tmp_path, "shard-left", LONGEST_EXPRESS_S + 60)
    sweep_scratch(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([live, code])
