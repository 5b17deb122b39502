"""Read and write nmap's reports: XML ↔ Host values and the other items. read.py is the entry.

    head           the start of a report
    split          the bytes after the start, in batches of whole hosts
    item_stream    the hosts and other items of the batches
    fast/          hosts written exactly as nmap writes them, read by patterns
    tree/          all other elements, read by an XML parser
    schema         the elements and attributes of nmap.dtd
    decode         bytes and references as text
    parallel       a report on disk, read by several processes
    join_sections  several elements of one host as one Host
    write/         values as XML, in nmap's spelling
    merge          the reports of a scan's shards as one report

The values are in cascan/model/host.py and cascan/model/report.py.
"""
