"""A template and its local code → a template and objects to upload, like `sam package`."""

from __future__ import annotations

import hashlib
import io
import json
import py_compile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cascan_cli.local.fingerprint import list_files
from cascan_cli.local.flatten import flatten
from cascan_cli.local.template import (
    Template,
    inline_numbers,
    is_condition_met,
    limit_batches,
    read_template,
)

MOST_BATCHES = 2  # of one queue at once: the minimum of an SQS event source mapping
# The earliest time in a zip, so that the same files make the same bytes
EPOCH = (1980, 1, 1, 0, 0, 0)
CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


@dataclass(frozen=True, slots=True)
class Package:
    """`body` is the template as JSON. `objects` are uploaded to the bucket under their keys.
    `sources` are the packaged paths, relative to the template's folder.
    """

    body: str
    objects: Mapping[str, bytes]
    sources: tuple[str, ...]


def build_package(path: Path, parameters: Mapping[str, str], bucket: str) -> Package:
    """Package a template.

    Nested templates are flattened (flatten.py); code paths are relative to the outermost one.

    Raises: DeployFailed: the template, or a file that it names, does not exist or cannot be read.
    """
    packer = _Packer(path.parent, parameters, bucket)
    return Package(packer.pack(path), packer.objects, tuple(sorted(packer.sources)))


def zip_folder(folder: Path) -> bytes:
    """The folder as a zip. It depends only on the content of the files, not on their times."""
    buffer = io.BytesIO()
    # Uncompressed: it stays on this machine
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in list_files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, path.read_bytes())
            if path.suffix == ".py":
                compiled = Path(cache_from_source(path.relative_to(folder).as_posix())).as_posix()
                archive.writestr(zipfile.ZipInfo(compiled, EPOCH), _compile(path, folder))
    return buffer.getvalue()


def _compile(path: Path, folder: Path) -> bytes:
    """The module's bytecode, which saves time in a cold start.

    It is unchecked: the zip holds source and bytecode.
    """
    with TemporaryDirectory() as scratch:
        compiled_path = py_compile.compile(
            str(path),
            str(Path(scratch) / "module.pyc"),
            dfile=path.relative_to(folder).as_posix(),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return Path(compiled_path or "").read_bytes()


@dataclass
class _Packer:
    root: Path
    parameters: Mapping[str, str]
    bucket: str
    objects: dict[str, bytes] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    # Folder → key: functions share their code
    zipped: dict[Path, str] = field(default_factory=dict)

    def pack(self, path: Path) -> str:
        with_numbers = inline_numbers(self._read_flat(path), self.parameters)
        template = limit_batches(with_numbers, MOST_BATCHES)
        self._pack_code(template.get("Globals", {}).get("Function", {}), "CodeUri")
        for resource in template["Resources"].values():
            self._pack_resource(resource, template)
        return json.dumps(template, sort_keys=True)

    def _read_flat(self, path: Path) -> Template:
        self._add_source(path)
        folder = path.parent
        return flatten(read_template(path), lambda location: self._read_flat(folder / location))

    def _pack_resource(self, resource: dict[str, Any], template: Template) -> None:
        kind, properties = resource.get("Type"), resource.get("Properties", {})
        if kind in CODE and is_condition_met(resource.get("Condition"), template, self.parameters):
            self._pack_code(properties, CODE[kind])
        elif kind in CODE and CODE[kind] in properties:
            # Its condition is false: it is not deployed
            properties[CODE[kind]] = f"s3://{self.bucket}/not-packaged"

    def _pack_code(self, properties: dict[str, Any], name: str) -> None:
        value = properties.get(name)
        if isinstance(value, str) and not value.startswith("s3://"):
            properties[name] = f"s3://{self.bucket}/{self._zip_once(self.root / value)}"

    def _zip_once(self, folder: Path) -> str:
        if folder not in self.zipped:
            self._add_source(folder)
            content = zip_folder(folder)
            self.zipped[folder] = f"{hashlib.sha256(content).hexdigest()}.zip"
            self.objects[self.zipped[folder]] = content
        return self.zipped[folder]

    def _add_source(self, path: Path) -> None:
        self.sources.add(path.relative_to(self.root).as_posix())
