"""Builds the nmap layer and the names layer from Debian's packages, on any machine with Python.

    python3 collect_nmap.py nmap  DIRECTORY    nmap with every library it loads and every file it reads
    python3 collect_nmap.py names DIRECTORY    nmap's lists of services, IP protocols and vendors
    python3 collect_nmap.py lock               asks Debian for the present packages, rewrites packages.lock

The packages in packages.lock are downloaded from DEBIAN_MIRROR and checked against their hashes: this needs no apt, no
container and no root. Only where that is not enough is apt asked, which checks Debian's signatures: for `lock`, for
another NMAP_VERSION than the locked one, and for a package that the archive has replaced. apt runs on this machine, or
in a container if Docker or podman is there.

Environment: NMAP_VERSION, DEBIAN_SUITE, DEBIAN_MIRROR, SNAPSHOT_MIRROR, CONTAINER_IMAGE (the defaults are below).
Exit code 1 with one sentence if the layer cannot be built.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import lzma  # noqa: F401 - Debian compresses with it, and a Python without it is to fail here
import os
import posixpath
import shutil
import struct
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

HERE = Path(__file__).resolve().parent
LOCK = HERE / "packages.lock"
NMAP_VERSION = os.environ.get("NMAP_VERSION", "")
DEBIAN_SUITE = os.environ.get("DEBIAN_SUITE", "bookworm")
DEBIAN_MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org")  # hashes are checked: HTTP is enough
CONTAINER_IMAGE = os.environ.get("CONTAINER_IMAGE", "docker.io/library/debian:bookworm-slim")
SNAPSHOT_MIRROR = os.environ.get("SNAPSHOT_MIRROR", "http://snapshot.debian.org/archive")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DOWNLOAD_TIMEOUT_S = 60
MAX_PACKAGE_BYTES = 50_000_000
X86_64 = 62  # of an ELF header, and of its segments and tags below
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5
MAX_LINKS = 8  # a symbolic link that leads to a symbolic link, and so on

LOADER = "ld-linux-x86-64.so.2"
LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu/", "usr/lib/x86_64-linux-gnu/", "lib64/", "usr/lib64/")
# Opened by name while nmap runs, so no ELF header lists them. A glibc that has them built in has no such files.
RESOLVERS = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
OPENSSL_LEGACY = "ossl-modules/legacy.so"  # MD4, DES, RC4 and the like
DATA = "usr/share/nmap/"
NAME_LISTS = ("nmap-services", "nmap-protocols", "nmap-mac-prefixes")

# apt with a state of its own: it needs no root, and does not see what this machine has installed or configured.
ASK_APT = """
set -eu
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/empty"
: >"$state/status"
for source in "debian $SUITE" "debian $SUITE-updates" "debian-security $SUITE-security"; do
    echo "deb [arch=amd64 signed-by=$KEYRING] $MIRROR/${source% *} ${source#* } main"
done >"$state/sources.list"
cat >"$state/apt.conf" <<END
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "$state/empty";
Dir::Etc::preferencesparts "$state/empty";
APT::Architecture "amd64";
APT::Sandbox::User "";
Acquire::Languages "none";
END
export APT_CONFIG="$state/apt.conf"
apt-get -qq update >&2
apt-get -qq install --print-uris --no-install-recommends "nmap$VERSION" >"$state/uris"
cut -d "'" -f 2 "$state/uris"
apt-cache show $(cut -d ' ' -f 2 "$state/uris" | sed 's/%3a/:/; s/_[^_]*$//; s/_/=/')
"""


class Package(NamedTuple):
    """`path` is below the mirror, as in debian/pool/main/n/nmap/nmap_7.93+dfsg1-1_amd64.deb."""

    name: str
    version: str
    sha256: str
    path: str


class NotInArchive(Exception):
    """Neither the mirror nor the snapshots have a locked package."""


def refuse(sentence: str) -> NoReturn:
    sys.exit(f"nmap layer: {sentence}")


# ==== which packages ==================================================================================================
def read_lock() -> tuple[str, list[Package]]:
    """The day of the snapshot that holds every package, and the packages."""
    lines = [line.split() for line in LOCK.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    snapshot = next(fields[1] for fields in lines if fields[0] == "snapshot")
    return snapshot, [Package(*fields) for fields in lines if fields[0] != "snapshot"]


def find_version(packages: list[Package]) -> str:
    return next(package.version for package in packages if package.name == "nmap")


def read_packages() -> list[tuple[Package, bytes]]:
    """Each package that the layer needs, with its content."""
    snapshot, packages = read_lock()
    if NMAP_VERSION in ("", find_version(packages)):
        try:
            return [(package, download_package(package, snapshot)) for package in packages]
        except NotInArchive as exc:
            print(f"nmap layer: {exc}; asking apt for what replaced it", file=sys.stderr)
    try:
        return [(package, download_package(package, "")) for package in ask_apt(NMAP_VERSION)]
    except NotInArchive as exc:
        refuse(f"{exc}: try another DEBIAN_MIRROR.")


def ask_apt(nmap_version: str) -> list[Package]:
    """nmap and all that it depends on, as Debian's signed index has them now."""
    settings = {
        "VERSION": f"={nmap_version}" if nmap_version else "",
        "SUITE": DEBIAN_SUITE,
        "MIRROR": DEBIAN_MIRROR,
        "KEYRING": str(KEYRING),
    }
    if shutil.which("apt-get") and KEYRING.is_file():
        command = ["sh", "-c", ASK_APT]
    else:
        container = shutil.which("docker") or shutil.which("podman")
        if container is None:
            refuse("this needs apt, and neither apt nor Docker nor podman is here: install Docker or podman.")
        variables = [option for name, value in settings.items() for option in ("--env", f"{name}={value}")]
        command = [container, "run", "--rm", *variables, CONTAINER_IMAGE, "sh", "-c", ASK_APT]
    ran = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        problem = (ran.stderr.strip().splitlines() or ["it says nothing more"])[-1]
        refuse(f"apt does not find nmap {nmap_version or 'in'} {DEBIAN_SUITE}: {problem}")
    return parse_apt(ran.stdout)


def parse_apt(text: str) -> list[Package]:
    """Addresses, one a line, then the stanzas of `apt-cache show`."""
    head, _, stanzas = text.partition("Package: ")
    addresses = [urllib.parse.unquote(urllib.parse.urlsplit(line).path) for line in head.split()]
    packages = []
    for stanza in ("Package: " + stanzas).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if line[:1].isalpha() and ": " in line)
        path = fields.get("Filename")
        address = next((address for address in addresses if path and address.endswith(f"/{path}")), "")
        if path and address:
            archive = address.removesuffix(path).strip("/").rpartition("/")[2]
            packages.append(Package(fields["Package"], fields["Version"], fields["SHA256"], f"{archive}/{path}"))
    if not packages:
        refuse("apt printed no package that can be read.")
    return sorted(packages)


def write_lock(snapshot: str) -> None:
    packages = ask_apt(NMAP_VERSION)
    head = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [*head, f"snapshot {snapshot}", *(" ".join(package) for package in packages)]
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


# ==== their files =====================================================================================================
def download_package(package: Package, snapshot: str) -> bytes:
    """The package's content, from the cache or the archive. Raises: NotInArchive."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    cached = Path(caches, "cascan", "debian", package.sha256)
    try:
        content = cached.read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() == package.sha256:
        return content
    archive, _, path = package.path.partition("/")
    addresses = [f"{DEBIAN_MIRROR}/{urllib.parse.quote(package.path)}"]
    if snapshot:
        addresses.append(f"{SNAPSHOT_MIRROR}/{archive}/{snapshot}/{urllib.parse.quote(path)}")
    problems = []
    for address in addresses:
        try:
            with urllib.request.urlopen(address, timeout=DOWNLOAD_TIMEOUT_S) as response:
                content = bytes(response.read(MAX_PACKAGE_BYTES))
        except (OSError, http.client.HTTPException) as exc:
            problems.append(str(exc))
            continue
        if hashlib.sha256(content).hexdigest() == package.sha256:
            store(cached, content)
            return content
        problems.append("not the content that the lock names")
    raise NotInArchive(f"{package.name} {package.version} cannot be downloaded ({'; '.join(problems)})")


def store(cached: Path, content: bytes) -> None:
    """Best effort: without a cache the next build downloads again."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        unfinished = cached.with_name(f"{cached.name}.{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(cached)
    except OSError:
        return


def read_data(package: bytes) -> bytes:
    """The member data.tar.* of a package, which is an ar archive: a header of 60 bytes, then the content, padded."""
    offset = len(b"!<arch>\n")
    while offset + 60 <= len(package):
        name, size = package[offset : offset + 16].decode().strip(" /"), int(package[offset + 48 : offset + 58])
        offset += 60
        if name.startswith("data.tar"):
            return package[offset : offset + size]
        offset += size + size % 2
    refuse("a package holds no data.tar: it is not a Debian package.")


class Files:
    """What the packages would install: paths without a leading slash → content, or where a symbolic link leads."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.links: dict[str, str] = {}

    def add(self, package: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(read_data(package))) as archive:
            for member in archive:
                path = posixpath.normpath(member.name).lstrip("/")
                if member.issym():
                    self.links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
                elif member.isfile() or member.islnk():
                    stream = archive.extractfile(member)
                    self.contents[path] = stream.read() if stream else b""

    def read(self, path: str) -> bytes | None:
        for _ in range(MAX_LINKS):
            if path not in self.links:
                break
            path = self.links[path].lstrip("/")
        return self.contents.get(path)

    def find_library(self, name: str) -> bytes | None:
        """By its file name, in the folders of libraries or a folder of an alternative, as in blas/libblas.so.3."""
        for path in [folder + name for folder in LIBRARY_FOLDERS] + sorted(self.contents | self.links):
            if path.startswith(LIBRARY_FOLDERS) and path.endswith(f"/{name}"):
                content = self.read(path)
                if content is not None:
                    return content
        return None


def read_needed(elf: bytes) -> Iterator[str]:
    """The names of the libraries that an x86-64 ELF file loads. Sources: elf(5), System V ABI."""
    if elf[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", elf, 18) != (X86_64,):
        refuse("a program or library in the packages is not for x86-64.")
    (headers_at,) = struct.unpack_from("<Q", elf, 32)
    entry_size, entries = struct.unpack_from("<HH", elf, 54)
    segments = [struct.unpack_from("<IIQQQQ", elf, headers_at + i * entry_size) for i in range(entries)]
    dynamic = [(offset, size) for kind, _, offset, _, _, size in segments if kind == PT_DYNAMIC]
    tags = [struct.unpack_from("<qQ", elf, start + i) for start, size in dynamic for i in range(0, size, 16)]
    names_at = next((value for tag, value in tags if tag == DT_STRTAB), 0)
    names_offset = next(
        (names_at - address + offset for kind, _, offset, address, _, size in segments
         if kind == PT_LOAD and address <= names_at < address + size),
        0,
    )  # fmt: skip
    for tag, value in tags:
        if tag == DT_NEEDED:
            start = names_offset + value
            yield elf[start : elf.index(b"\0", start)].decode("ascii")


# ==== the layers ======================================================================================================
def build_layer(files: Files) -> dict[str, bytes]:
    """Paths in the layer → content."""
    nmap = files.read("usr/bin/nmap")
    if nmap is None:
        refuse("the packages hold no /usr/bin/nmap.")
    layer = {"bin/nmap": nmap} | {f"share/nmap/{path}": content for path, content in select_data(files).items()}
    names = [*read_needed(nmap), LOADER, *(name for name in RESOLVERS if files.find_library(name))]
    while names:
        name = names.pop()
        if f"lib/{name}" in layer:
            continue
        library = files.find_library(name)
        if library is None:
            refuse(f"nmap needs {name}, and no package in packages.lock holds it: run 'make lock' in layers/nmap.")
        layer[f"lib/{name}"] = library
        names.extend(read_needed(library))
    legacy = files.find_library(OPENSSL_LEGACY)
    if legacy is not None:
        layer[f"lib/{OPENSSL_LEGACY}"] = legacy
    return layer


def select_data(files: Files) -> dict[str, bytes]:
    """nmap's data; a link becomes the file that it leads to."""
    data = {}
    for path in sorted(files.contents | files.links):
        content = files.read(path) if path.startswith(DATA) else None
        if content is not None:
            data[path[len(DATA) :]] = content
    if "nmap-services" not in data:
        refuse(f"the packages hold no /{DATA}nmap-services.")
    return data


def write_layer(layer: dict[str, bytes], folder: Path) -> None:
    for name, content in layer.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # The loader is started by its path: the kernel wants it executable.
        path.chmod(0o755 if name in ("bin/nmap", f"lib/{LOADER}") else 0o644)


def build(kind: str, folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        refuse(f"{folder} is not empty: give an empty directory, old files would stay.")
    files = Files()
    for _, content in read_packages():
        files.add(content)
    if kind == "nmap":
        write_layer(build_layer(files), folder)
    else:
        data = select_data(files)
        write_layer({f"share/nmap/{name}": data[name] for name in NAME_LISTS}, folder)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["lock", snapshot]:
            write_lock(snapshot)
        case ["nmap" | "names" as kind, folder] if folder:
            build(kind, Path(folder))
        case _:
            refuse("say where to build it: make build-NmapLayer ARTIFACTS_DIR=<directory>.")


if __name__ == "__main__":
    main(sys.argv[1:])
