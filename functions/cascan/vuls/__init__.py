"""Vuls' results JSON: which ports to ask, and a copy of the file that says which of them are open.

    results.py        the file → listeners, addresses and CVEs; the same file with portReachableTo
    destinations.py   the listeners of a server → the ports to ask of each address
    requests.py       the destinations and the settings of config.toml → scan requests
    plan.py           what one server is asked, and why some of it is not
    reachability.py   the states of the ports → what is said of each listener
    summary.py        what is said of all listeners → packages, CVEs, findings

Source: Vuls' models of jsonVersion 4.
"""
