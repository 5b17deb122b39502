#!/bin/sh
# Copies the lists of names of the machine's nmap into a layer: services, IP protocols, vendors of network cards.
#
# In    $1, the empty or absent directory that becomes /opt; nmap's data in /usr/share/nmap (Debian)
# Out   share/nmap with three files
# Ends  1 with one sentence when the machine has no nmap
set -eu
layer=${1:-}
data=/usr/share/nmap

refuse() {
    echo "nmap names layer: $1" >&2
    exit 1
}

[ -n "$layer" ] || refuse "say where to build it: make build-NmapNamesLayer ARTIFACTS_DIR=<directory>."
[ -f "$data/nmap-services" ] || refuse "nmap is not installed here: run 'apt-get install nmap' as root, then build again."
[ -z "$(ls -A "$layer" 2>/dev/null)" ] || refuse "$layer is not empty: give an empty directory, old files would stay."
mkdir -p "$layer/share/nmap"
for list in nmap-services nmap-protocols nmap-mac-prefixes; do
    install -m 644 "$data/$list" "$layer/share/nmap/"
done
