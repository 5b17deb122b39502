"""A network namespace with a DNS server of its own, in which the worker's own code scans names.

namespace.py  starts a scan in a namespace: the tests' side
scan.py       what runs in there: resolv.conf and hosts, the server, the worker, nmap; prints what came of it
server.py     a DNS server that fails in every way that real ones do
"""
