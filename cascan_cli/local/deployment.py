"""Keep the deployment on the emulator up to date with the template, its code and the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cascan_cli.errors import DeployFailed
from cascan_cli.local.fingerprint import compute_fingerprint, compute_stamp
from cascan_cli.local.lock import hold_lock
from cascan_cli.local.private import FILE_MODE
from cascan_cli.local.state import Deployment, Stamp, StateDir

CHECKOUT = Path(__file__).resolve().parents[2]
BUNDLE = CHECKOUT / "cascan_cli" / "bundle"  # in an installed wheel: setup.py
TEMPLATE = (BUNDLE if BUNDLE.is_dir() else CHECKOUT) / "template.yaml"
LOCK_TIMEOUT_S = 60.0


def find_current_outputs(
    state: StateDir,
    template: Path,
    parameters: Mapping[str, str],
) -> Mapping[str, str] | None:
    """The outputs of the stack if it is deployed from these files and parameters, else None."""
    deployment = state.deployment()
    if deployment is None:
        return None
    try:
        is_current = _is_current(state, deployment, template.parent, parameters)
    except DeployFailed:  # a deployed file does not exist any more
        return None
    return deployment.outputs if is_current else None


def _is_current(state: StateDir, deployment: Deployment, root: Path, parameters: Mapping[str, str]) -> bool:
    """Whether these files and parameters have the fingerprint of the deployment.

    The files are read only if one was written since they last had it.
    """
    stamp = compute_stamp(root, deployment.sources, parameters)
    seen = Stamp(deployment.fingerprint, stamp)
    if state.stamp() == seen:
        return True
    if compute_fingerprint(root, deployment.sources, parameters) != deployment.fingerprint:
        return False
    state.write_stamp(seen)
    return True


def update_deployment(
    state: StateDir,
    template: Path,
    parameters: Mapping[str, str],
) -> Mapping[str, str]:
    """Deploy, unless these files and parameters are deployed already; the outputs.

    The emulator must be up.

    Raises: DeployFailed: the template is refused, or a resource fails.
    """
    with hold_lock(state.root / "deploy.lock", LOCK_TIMEOUT_S):
        outputs = find_current_outputs(state, template, parameters)
        return _deploy(state, template, parameters) if outputs is None else outputs


def _deploy(state: StateDir, template: Path, parameters: Mapping[str, str]) -> Mapping[str, str]:
    from cascan_cli.local.aws import client_options, open_session  # only a deployment needs boto3
    from cascan_cli.local.deploy import CODE_BUCKET, deploy
    from cascan_cli.local.package import build_package

    packed = build_package(template, parameters, CODE_BUCKET)
    made_of = compute_fingerprint(template.parent, packed.sources, parameters)
    endpoint = state.endpoint()
    with _half_deployed(state):
        outputs = deploy(open_session(endpoint), client_options(endpoint), packed, parameters)
        state.write_deployment(Deployment(made_of, packed.sources, parameters, outputs))
    return outputs


@contextmanager
def _half_deployed(state: StateDir) -> Iterator[None]:
    """Mark the emulator's state as half a stack during the block.

    The mark stays if we are killed or interrupted.
    """
    state.deploying.touch(FILE_MODE)
    try:
        yield
    except DeployFailed:  # the emulator has rolled back
        state.deploying.unlink(missing_ok=True)
        raise
    state.deploying.unlink(missing_ok=True)
