"""Expected exposure: which ports should be reachable from where, and what differs from that.

An operator's file lists what is expected. The judge compares the state of a port with it.
"""
