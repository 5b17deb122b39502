"""The `cascan` command."""
