"""A CascadingRule, read and checked.

Source: secureCodeBox's resource of cascading.securecodebox.io/v1.

Two fields are cascan's, and secureCodeBox's controller ignores them: `spec.matches.expression` and
`spec.onlyNewOrChanged`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cascan.cascades.expression import ExpressionError, compile_expression
from cascan.errors import RequestRefused
from cascan.forms.cascades import SCOPE_PREFIX, check_cascades
from cascan.forms.complete_request import is_valid_name
from cascan.forms.fields import build_refusal, find_unknown_fields, read_struct
from cascan.limits import MAX_LABELS, MAX_MATCHERS, MAX_PARAMETERS, MAX_RULE_BYTES
from cascan.model.request import Seconds
from cascan.rules.matching import check_pattern
from cascan.templates.render import TemplateError, compile_template, find_unknown_aliases

API_VERSION = "cascading.securecodebox.io/v1"
KIND = "CascadingRule"
TOP_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
MATCHER_FIELDS = (
    "name",
    "category",
    "description",
    "location",
    "severity",
    "osi_layer",
    "attributes",
)
HELPER_FIELDS = ("hostOrIP",)  # of `$` in templates
MAX_RULE_NAME_CHARS = 63  # it becomes part of the names of scans, at every step


class Matches(msgspec.Struct, frozen=True, rename="camel"):
    """Which findings the rule matches: one of anyOf, and also the expression where there is one."""

    any_of: tuple[dict[str, Any], ...] = ()
    expression: str = ""


class ScanSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The scan to start.

    All fields but the first four are for Kubernetes, where other scanners run.
    """

    scan_type: str
    parameters: tuple[str, ...] = ()
    ttl_seconds_after_finished: Seconds | None = None
    suspend: bool = False  # it is created, and starts when it is resumed
    env: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    volume_mounts: tuple[dict[str, Any], ...] = ()
    init_containers: tuple[dict[str, Any], ...] = ()
    hook_selector: dict[str, Any] = {}
    affinity: dict[str, Any] | None = None  # empty: none, even if the parent has one
    tolerations: tuple[dict[str, Any], ...] | None = None
    node_selector: dict[str, str] = {}
    resources: dict[str, Any] = {}
    image_pull_secrets: tuple[dict[str, Any], ...] = ()
    resource_mode: str = ""
    cascades: dict[str, Any] | None = None  # has no effect: see `_notes`


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    matches: dict[str, Any]
    scan_spec: dict[str, Any]
    scan_labels: dict[str, str] = {}
    scan_annotations: dict[str, str] = {}
    only_new_or_changed: bool = False


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class CascadingRule(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    labels: dict[str, str] = {}
    matches: Matches
    scan_spec: ScanSpec
    scan_labels: dict[str, str] = {}
    scan_annotations: dict[str, str] = {}
    only_new_or_changed: bool = False
    notes: tuple[str, ...] = ()  # on parts of the manifest that have no effect


def read_rule(document: Mapping[str, Any]) -> CascadingRule:
    """Raises: RequestRefused: all problems, each as a sentence that begins with the path of its
    field.
    """
    if document.get("kind") != KIND or document.get("apiVersion") != API_VERSION:
        kind = f"{document.get('apiVersion')!r:.60}, {document.get('kind')!r:.60}"
        raise build_refusal([f"apiVersion, kind: {kind} is not {API_VERSION}, {KIND}"])
    if len(msgspec.json.encode(document)) > MAX_RULE_BYTES:
        raise build_refusal([f"spec: a rule has at most {MAX_RULE_BYTES} bytes"])
    problems = find_unknown_fields(document, TOP_FIELDS, "")
    sections: dict[str, Any] = {}  # by path, those that can be read
    spec = _read_section(sections, _Spec, document.get("spec"), "spec", problems)
    _read_section(
        sections,
        _Metadata,
        _select_metadata(document.get("metadata")),
        "metadata",
        problems,
    )
    if spec is not None:
        _read_section(sections, Matches, spec.matches, "spec.matches", problems)
        _read_section(sections, ScanSpec, spec.scan_spec, "spec.scanSpec", problems)
    problems += _find_problems(sections)
    if problems:
        raise build_refusal(problems)
    metadata, scan_spec = sections["metadata"], sections["spec.scanSpec"]
    return CascadingRule(
        name=metadata.name,
        labels=metadata.labels,
        matches=sections["spec.matches"],
        scan_spec=scan_spec,
        scan_labels=spec.scan_labels,
        scan_annotations=spec.scan_annotations,
        only_new_or_changed=spec.only_new_or_changed,
        notes=tuple(_notes(scan_spec, spec)),
    )


def _notes(scan_spec: ScanSpec, spec: _Spec) -> Iterator[str]:
    if scan_spec.cascades is not None:
        reason = "a child has the cascades of the scan that it follows"
        yield f"spec.scanSpec.cascades has no effect: {reason}"
        yield from (f"spec.scanSpec.{problem}" for problem in check_cascades(scan_spec.cascades))
    for path, text in (*find_templates(scan_spec), *_added_templates(spec)):
        for name in find_unknown_aliases(compile_template(text), HELPER_FIELDS):
            helpers = ", ".join(HELPER_FIELDS)
            yield f"{path}: {{{{{name}}}}} never renders to anything; of $ there is {helpers}"


def _added_templates(spec: _Spec) -> Iterator[tuple[str, str]]:
    for path, texts in (
        ("scanLabels", spec.scan_labels),
        ("scanAnnotations", spec.scan_annotations),
    ):
        for key, text in texts.items():
            yield f"spec.{path}[{key!r}]", text


def _read_section(
    sections: dict[str, Any],
    kind: type[msgspec.Struct],
    fields: Any,
    path: str,
    problems: list[str],
) -> Any:
    """Add the section to `sections`, or why it cannot be read to `problems`.

    Returns the section, or None.
    """
    if not isinstance(fields, dict):
        problems.append(f"{path} is missing" if fields is None else f"{path}: expected a mapping")
        return None
    try:
        present = {name: value for name, value in fields.items() if value is not None}
        sections[path] = read_struct(kind, present, f"{path}.")
    except RequestRefused as exc:
        problems += exc.reasons
    return sections.get(path)


def _select_metadata(metadata: Any) -> Any:
    """The fields of Kubernetes' metadata that have a meaning here."""
    if not isinstance(metadata, dict):
        return metadata
    return {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}


def _find_problems(sections: Mapping[str, Any]) -> Iterator[str]:
    if metadata := sections.get("metadata"):
        yield from _name_problems(metadata)
    if (matches := sections.get("spec.matches")) is not None:
        yield from _match_problems(matches)
    if (scan_spec := sections.get("spec.scanSpec")) is not None:
        yield from _scan_problems(scan_spec)
    if (spec := sections.get("spec")) is not None:
        for key in spec.scan_annotations:
            if key.startswith(SCOPE_PREFIX):
                reason = "the scope comes from the first scan"
                yield f"spec.scanAnnotations: {key} is not a rule's to set: {reason}"
        for path, texts in (
            ("scanLabels", spec.scan_labels),
            ("scanAnnotations", spec.scan_annotations),
        ):
            if len(texts) > MAX_LABELS:
                yield f"spec.{path}: {len(texts)} entries are more than {MAX_LABELS}"
        yield from _template_problems(dict(_added_templates(spec)))


def _name_problems(metadata: _Metadata) -> Iterator[str]:
    if not is_valid_name(metadata.name) or len(metadata.name) > MAX_RULE_NAME_CHARS:
        yield (
            f"metadata.name: {metadata.name[:80]!r} is no name: 1 to {MAX_RULE_NAME_CHARS} "
            "of a-z, 0-9, '.' and '-', with a letter or digit at both ends"
        )


def _match_problems(matches: Matches) -> Iterator[str]:
    if not matches.any_of and not matches.expression:
        yield "spec.matches: neither anyOf nor an expression: say which findings the rule is about"
    if len(matches.any_of) > MAX_MATCHERS:
        yield f"spec.matches.anyOf: {len(matches.any_of)} entries are more than {MAX_MATCHERS}"
    for index, matcher in enumerate(matches.any_of):
        path = f"spec.matches.anyOf[{index}]."
        if not matcher:
            yield f"{path[:-1]}: empty; it would match every finding"
        yield from find_unknown_fields(matcher, MATCHER_FIELDS, path)
        yield from check_pattern(matcher, path[:-1])
        if not isinstance(matcher.get("attributes", {}), dict):
            yield f"{path}attributes: expected a mapping"
    if matches.expression:
        try:
            compile_expression(matches.expression)
        except ExpressionError as exc:
            yield f"spec.matches.expression: {exc}"


def _scan_problems(spec: ScanSpec) -> Iterator[str]:
    if not spec.scan_type:
        yield "spec.scanSpec.scanType: empty; name a scan type"
    if len(spec.parameters) > MAX_PARAMETERS:
        count = len(spec.parameters)
        yield f"spec.scanSpec.parameters: {count} entries are more than {MAX_PARAMETERS}"
    yield from _template_problems(dict(find_templates(spec)))


def find_templates(spec: ScanSpec) -> Iterator[tuple[str, str]]:
    """Path and text of everything in a scanSpec that is a template."""
    path = "spec.scanSpec"
    yield f"{path}.scanType", spec.scan_type
    for index, text in enumerate(spec.parameters):
        yield f"{path}.parameters[{index}]", text
    yield from _env_templates(f"{path}.env", spec.env)
    for index, container in enumerate(spec.init_containers):
        inside = f"{path}.initContainers[{index}]"
        command = container.get("command")
        for number, text in enumerate(command if isinstance(command, list) else ()):
            yield f"{inside}.command[{number}]", str(text)
        env = container.get("env")
        yield from _env_templates(f"{inside}.env", tuple(env) if isinstance(env, list) else ())


def _env_templates(path: str, env: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    for index, entry in enumerate(env):
        if isinstance(entry, dict) and isinstance(entry.get("value"), str):
            yield f"{path}[{index}].value", entry["value"]


def _template_problems(texts: Mapping[str, str]) -> Iterator[str]:
    for path, text in texts.items():
        try:
            compile_template(text)
        except TemplateError as exc:
            yield f"{path}: {exc}"
