"""Every limit of the pipeline that is not a Parameter of the template, by name."""

MAX_REQUEST_BYTES = 256 * 1024  # one message; a longer list of targets is better written as ranges
MAX_TARGETS = 5_000  # expressions in one request
MAX_TARGET_CHARS = 1_024  # one expression; nmap itself reads at most 1,023 characters from a list
MAX_PARAMETERS = 256
MAX_PARAMETER_CHARS = 65_536  # port lists and script arguments grow long
MAX_ADDRESSES_PER_SCAN = 2**24  # a /8
MAX_OVERLAPS_PER_SCAN = 250_000  # intervals compared to take excludes and repeats out: a few seconds at worst
MAX_SHARDS_PER_SCAN = 2_000  # more addresses make larger shards, not more of them
MAX_SLICES_PER_SHARD = 512  # keeps a shard's item far below DynamoDB's 400 KB
MAX_LABELS = 64
MAX_LABEL_CHARS = 1_024
MAX_REASONS = 20  # kept of a refusal; the rest are counted
MAX_HOPS = 8  # how deep a cascade may go
HOSTS_PER_SHARD = 256
EXPRESS_MAX_PROBES = 5_000  # addresses x ports that one Lambda finishes well within its 15 minutes
MAX_STDERR_CHARS = 4_096  # kept of what nmap said
MAX_ADDRESSES_PER_NAME = 16
MAX_REPORT_BYTES = 2 * 1024**3  # one shard's XML; nmap is stopped there
MAX_HOST_XML_BYTES = 64 * 1024**2  # one host element
MAX_HOST_XML_ELEMENTS = 1_000_000  # in one host element: a tree weighs far more than its bytes
MAX_XML_DEPTH = 64
MAX_NAME_CHARS = 253  # of a series, as Kubernetes bounds the name of an object
