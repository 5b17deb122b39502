"""`cascan network add|list|remove`: by what the inventory knows the hosts of a network."""

from __future__ import annotations

from argparse import Namespace
from ipaddress import ip_network

from msgspec import to_builtins

from cascan.clock import utc_now
from cascan.limits import MAX_IDENTITY_NETWORKS
from cascan.model.identity import IdentityKind, NetworkIdentity, StoredNetworks
from cascan.recovery.operator_records import record_network_identities
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_json
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack

COLUMNS = ("NETWORK", "IDENTITY")


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: bad input, and nothing was changed."""
    network = "" if args.action == "list" else _parse_network(args.network)
    with open_stack(args) as stack:
        stored = stack.table.network_identities()
        known = {rule.network: rule for rule in stored.networks} if stored else {}
        if args.action == "list":
            listing = Listing(
                title="identities of networks",
                unit="network",
                items=known.values(),
                columns=COLUMNS,
                to_row=_to_row,
                to_json=to_builtins,
                whole=("NETWORK",),
            )
            print_listing(listing, args)
            return 0
        if args.action == "add":
            rule = NetworkIdentity(network=network, identity=IdentityKind(args.identity))
            known[network] = rule
            sentence = f"hosts of {network} are known by their {args.identity}, in scans that are accepted from now on"
        else:
            if network not in known:
                raise BadInput(f"NETWORK: nothing is stored for {network}; see cascan network list")
            rule = known.pop(network)
            sentence = f"hosts of {network} are known as without it, in scans that are accepted from now on"
        _store(known, stored, stack)
    if args.json:
        print_json(rule)
    else:
        print(sentence)
    return 0


def _parse_network(text: str) -> str:
    """The network in its usual form. Raises: BadInput: it is not a network."""
    try:
        return str(ip_network(text))
    except ValueError as exc:
        raise BadInput(f"NETWORK: {text!r} is not a network such as 10.0.3.0/24: {exc}") from exc


def _store(known: dict[str, NetworkIdentity], stored: StoredNetworks | None, stack: StackGateways) -> None:
    """Raises: BadInput: too many networks. CliError: another command changed them at the same time."""
    if len(known) > MAX_IDENTITY_NETWORKS:
        raise BadInput(f"NETWORK: the stack has {len(known) - 1} networks, and may have {MAX_IDENTITY_NETWORKS}")
    version = stored.version + 1 if stored else 1
    networks = tuple(known[network] for network in sorted(known))
    if not stack.table.put_network_identities(StoredNetworks(version=version, stored_at=utc_now(), networks=networks)):
        raise CliError("the networks were changed at the same moment; look at them with `cascan network list`")
    back_up(record_network_identities, stack.operator_records, stack.table)


def _to_row(rule: NetworkIdentity) -> tuple[object, ...]:
    return rule.network, rule.identity
