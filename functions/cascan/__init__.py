"""The language the functions share: what a scan, a shard, a host and a finding are, and what may be done with them."""
