#!/bin/sh
# Copies the machine's nmap, every library it loads and every file it reads into a layer.
#
# In    $1, the empty or absent directory that becomes /opt; nmap on PATH with its data in /usr/share/nmap (Debian)
# Out   bin/nmap, lib/ with the shared libraries and the dynamic loader, share/nmap; symbolic links become files
# Ends  1 with one sentence when the machine has no nmap that can be carried away
set -eu
unset LD_LIBRARY_PATH LD_PRELOAD  # ldd shall see what the distribution installed, not what this shell prefers
export LC_ALL=C

layer=${1:-}
data=/usr/share/nmap
loader=ld-linux-x86-64.so.2

refuse() {
    echo "nmap layer: $1" >&2
    exit 1
}

[ -n "$layer" ] || refuse "say where to build it: make build-NmapLayer ARTIFACTS_DIR=<directory>."
nmap=$(command -v nmap) || refuse "nmap is not installed here: run 'apt-get install nmap' as root, then build again."
[ -f "$data/nmap-services" ] || refuse "nmap's data is not in $data: use the distribution's nmap package."
[ -z "$(ls -A "$layer" 2>/dev/null)" ] || refuse "$layer is not empty: give an empty directory, old files would stay."
loaded=$(ldd "$nmap") || refuse "$nmap is not a dynamically linked program: use the distribution's nmap package."
case $loaded in
*"not found"*) refuse "$nmap lacks a library ('ldd $nmap' says which): repair its packages, then build again." ;;
*"/$loader "*) ;;
*) refuse "$nmap does not load $loader: build on x86-64 Linux with glibc." ;;
esac
# Lines of ldd: `name => /path (address)`, and for the loader `/path (address)`.
libraries=$(echo "$loaded" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }')

mkdir -p "$layer/bin" "$layer/lib/ossl-modules" "$layer/share/nmap"
install -m 755 "$nmap" "$layer/bin/nmap"
for library in $libraries; do
    install -m 644 "$library" "$layer/lib/"
done
chmod 755 "$layer/lib/$loader"  # started by path: the kernel wants it executable

# Opened by name while nmap runs, so ldd does not list them: glibc's resolvers, OpenSSL's MD4, DES, RC4 and the like.
copy_if_present() {
    if [ -e "$1" ]; then
        install -m 644 "$1" "$2"
    fi
}
for library in $libraries; do
    case $library in
    */libc.so.6)
        for module in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
            copy_if_present "${library%/*}/$module" "$layer/lib/"
        done
        ;;
    */libcrypto.so.*) copy_if_present "${library%/*}/ossl-modules/legacy.so" "$layer/lib/ossl-modules/" ;;
    esac
done
cp -RL "$data/." "$layer/share/nmap"
