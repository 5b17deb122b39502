"""Every figure the README states, one command each: `make bench` runs them all."""
