"""The hours in which a scan may run."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import msgspec

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """From one wall-clock time to another, on the days it begins; past midnight where `to` is not after `from`."""

    days: tuple[str, ...] = DAYS
    starts: str = msgspec.field(name="from")  # "22:00"
    ends: str = msgspec.field(name="to")
    time_zone: str = "UTC"

    def open_until(self, now: datetime) -> datetime | None:
        """When the window that is open at `now` closes; None: none is open."""
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - few scans have a window

        zone = ZoneInfo(self.time_zone)
        starts, ends = time.fromisoformat(self.starts), time.fromisoformat(self.ends)
        local = now.astimezone(zone)
        for day in (local.date() - timedelta(1), local.date()):
            last = day if ends > starts else day + timedelta(1)
            opens, closes = (datetime.combine(on, at, zone) for on, at in ((day, starts), (last, ends)))
            if DAYS[day.weekday()] in self.days and opens.timestamp() <= now.timestamp() < closes.timestamp():
                return closes
        return None
