"""A vantage point: a place from which addresses are scanned.

The inventory is kept for each vantage by itself, since the same address may look different from
another place, or be another host there.
"""

from __future__ import annotations

DEFAULT_VANTAGE = "default"  # of the stack's own workers, and of everything that was stored before
