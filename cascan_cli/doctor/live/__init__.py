"""`cascan doctor --live`: scans a target that the user names, to see that a deployed stack works.

scans.py   the scans: their requests, their cost, sending them and waiting for their end
tasks.py   the Fargate tasks that ran them: times, user, capabilities, cost
lines.py   the lines of the report: each passed, failed, or could not be tried
run.py     asks, scans, and collects the lines
"""
