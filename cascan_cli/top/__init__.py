"""The live view in a terminal.

read.py reads a stack, rows.py makes rows of it, app.py and scan_screen.py show them.
"""
