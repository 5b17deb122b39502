"""What a scan costs: a price file, how long nmap runs, and the estimate of a plan. Nothing here reads or writes."""
