"""A scan as one self-contained HTML file: `build_report` collects what it shows, `render_report` writes it."""

from __future__ import annotations

from cascan.html_report.build_report import ReportTable, build_report
from cascan.html_report.render_report import render_report

__all__ = ["ReportTable", "build_report", "render_report"]
