"""nmap's reports in both directions: XML ↔ Host values and the items beside them. read.py is the entry for reading.

    head, split, item_stream   the start of a report; the rest in batches of whole hosts; hosts and items of the batches
    fast/                      hosts written exactly as nmap writes them, read by patterns
    tree/                      any other element, read by an XML parser; schema: what nmap.dtd knows
    decode                     bytes and references as text
    parallel                   a report on disk, read by several processes
    join_sections              several elements of one host as one
    write/                     values as XML, in nmap's spelling
    merge                      the reports of a scan's shards as one

The values are in cascan/model/host.py and cascan/model/report.py.
"""
