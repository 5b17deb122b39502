"""Simulate many wide scans at once: the project's own code, under a virtual clock and AWS's quotas.

No AWS, no network, no nmap. Planning, releasing, claiming, closing and the launcher are the real
functions. Queues, the table's contents and the fleet are in memory; how long a shard runs, and when
AWS makes something wait, are a model. docs/scale.md has the results, and what they assume.
"""
