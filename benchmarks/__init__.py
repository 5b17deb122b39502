"""Every figure of docs/performance.md, one command each: `make bench` runs them all."""
