"""A month of daily scans over a network that loses packets: is every drift found, and nothing else?

drift.py          the network, and what changes in it
lossy_scan.py     what nmap's connect scan sees of a host when packets are lost
month.py          30 days: scan, judge, live; and what came of it
__main__.py       the table of many months
messages.py       100 scans with 20 changes: what a reader is sent, counted at an HTTP server
lossy_network.py  real hosts in a namespace, and nft that drops packets
lab.py            real rounds: nmap scans the lossy network
message_lab.py    messages.py with the real nmap, in real time
stack_lab.py      the same on a whole stack of this machine
unconfirmed.py    what only raw sockets can confirm, on a stack of this machine, in real time
"""
