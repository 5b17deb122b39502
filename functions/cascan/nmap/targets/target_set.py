"""nmap's target language for the rest of cascan: text → Target → slices → addresses."""

from cascan.nmap.targets.exclusion import Exclusion
from cascan.nmap.targets.kinds import Name, Network6, Target
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.slice_targets import count_addresses, slice_targets
from cascan.nmap.targets.slices import enumerate_slice, pack_shards
from cascan.nmap.targets.syntax import parse_target, parse_targets

__all__ = [
    "Exclusion",
    "Name",
    "Network6",
    "Octets",
    "Target",
    "count_addresses",
    "enumerate_slice",
    "pack_shards",
    "parse_target",
    "parse_targets",
    "slice_targets",
]
