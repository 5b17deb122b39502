"""nmap's report, both ways: XML ↔ Host values and what stands beside them. read.py is where reading starts.

    cut, head, body        a stream in batches of whole hosts, and what stands between them; raw: the same as bytes
    quick*                 hosts written exactly as nmap writes them, by patterns
    host, script, items    any element at all, by an XML parser; values, text: what attributes say
    parallel, worker       a report on disk, by several processes
    writer, host_writer    values as XML again, in nmap's spelling (markup); merge: reports of a scan's shards as one

The values themselves are in cascan/model/host.py.
"""
