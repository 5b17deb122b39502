"""A table that is made again holds what it held, whatever the scope was then."""

from pathlib import Path

from cli.rebuilding import rebuild_table
from tests.fakes import MemoryScanTable
from tests.unit.cascan.test_rebuild import World


def test_hosts_of_this_machine_are_recorded_again_as_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    scan_id = world.plan(targets=["127.0.0.0/30"])
    world.finish(scan_id)
    before, world.table = world.scan(scan_id), MemoryScanTable()
    assert rebuild_table(world.table, world.reports).reports == 4
    after = world.scan(scan_id)
    assert (after.outcome, after.hosts_up, after.findings) == (before.outcome, 4, before.findings)
