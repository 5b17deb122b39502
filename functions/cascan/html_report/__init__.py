"""A scan as one self-contained HTML file: `build_report` collects what it shows, `render_report` writes it."""
