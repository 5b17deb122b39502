"""The live view in a terminal: what is read of a stack (read.py), and how it is shown (app.py, scan_screen.py)."""
