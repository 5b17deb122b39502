"""The pages of the console: each reads, and returns what a template shows."""
