"""The layouts of scans.

Layout 1 has the shards in the scan's partition, and an item for each finding. Layout 2 has the
shards in a partition of their own, and the findings of a host in one item. A scan keeps the layout
of the version that accepted it; once it has ended, `cascan migrate` moves its findings.
"""

from __future__ import annotations

from cascan.aws.dynamodb.table import DynamoTable, TablePart
from cascan.aws.dynamodb.wire import Item
from cascan.aws.tables.items import LAYOUT, LAYOUT_ATTRIBUTES, ScanLayout, read_layout, scan_key

MAX_LAYOUTS = 1_000  # scans whose layout is kept in memory


class ScanLayouts(TablePart):
    """A part of ScanTable whose items depend on the scan's layout."""

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._layouts: dict[str, ScanLayout] = {}  # by scan id, of scans that were read

    def _find_layout(self, scan_id: str) -> ScanLayout:
        """The layout of the scan; that of a new scan, if there is none."""
        if scan_id in self._layouts:
            return self._layouts[scan_id]
        item = self._table.get(scan_key(scan_id), *LAYOUT_ATTRIBUTES)
        return self._remember_layout(scan_id, item) if item else ScanLayout()

    def _remember_layout(self, scan_id: str, item: Item) -> ScanLayout:
        layout = read_layout(item)
        if layout.layout == LAYOUT:  # an earlier layout may be migrated
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[scan_id] = layout
        return layout
