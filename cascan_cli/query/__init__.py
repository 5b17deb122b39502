"""SQL over what a stack knows, in a database of its own that lives as long as the command. ADR 70 has the reasons."""
