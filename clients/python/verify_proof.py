"""Checks the proof of one account over one maintenance window; needs nothing of the exchange but its word.

    python verify_proof.py PROOF.json [--venue-key BASE64 ...]

The proof says what the exchange stated of your account when it closed and when it opened, and how each
statement leads to a root it signed. This file checks both signatures, both statements and both paths, and
prints in plain words what differs between closing and opening. A proof can't vouch for the keys it carries: say which
keys of the venue you know from elsewhere (`--venue-key`, once for each), and nothing signed with another one counts.

    leaf(salt, statement) = BLAKE2b-256(0x00 || salt || statement)
    node(left, right)     = BLAKE2b-256(0x01 || left || right)

A certificate stands in the proof as the text that was signed (Ed25519, over its UTF-8); so does a statement.
What is checked is those bytes as they stand; a field this file has never heard of changes nothing.
Needs Python 3.11 and PyNaCl.
"""

import argparse
import base64
import json
import sys
from hashlib import blake2b
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

FORMAT = 1
Json = dict[str, Any]


class BadProof(Exception):
    """The proof does not prove what it says."""


def verify(proof: Json, *venue_keys: str) -> list[str]:
    """Check a proof and say what it shows, line by line. `venue_keys`: those known as the venue's; none: any it names.

    Raises:
        BadProof: it does not hold, with the reason.
    """
    try:
        return _verify(proof, venue_keys)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadProof(f"the proof is malformed: {error!r}") from error


def _verify(proof: Json, venue_keys: tuple[str, ...]) -> list[str]:
    if proof["format"] != FORMAT:
        raise BadProof(f"the proof has format {proof['format']}; this file reads {FORMAT}")
    closing, opening = proof["closing"], proof["opening"]
    if closing is None:
        raise BadProof("the window has no closing certificate yet")
    lines = []
    certificates = {}
    for kind, part in (("closing", closing), ("opening", opening)):
        if part is None:
            lines.append("The window has not been certified for opening yet.")
            continue
        certificates[kind] = certificate = _check_part(proof, kind, part, venue_keys)
        lines.append(
            f"{kind.capitalize()} certificate: record {certificate['as_of_seq']}, build {certificate['build']}, "
            f"{certificate['statements']} accounts, signed by {certificate['public_key']}."
        )
    if opening is None:
        return lines
    if certificates["opening"]["closing_id"] != closing["recorded_seq"] * 10:
        raise BadProof("the opening certificate was not held against this closing certificate")
    if certificates["opening"]["as_of_seq"] < certificates["closing"]["as_of_seq"]:
        raise BadProof("the opening certificate is older than the closing one")
    lines += [_gate(result) for result in certificates["opening"]["gates"]]
    changes = differences(json.loads(closing["statement"]), json.loads(opening["statement"]))
    lines += changes or ["Nothing of your account differs between closing and opening."]
    return lines


def _check_part(proof: Json, kind: str, part: Json, venue_keys: tuple[str, ...]) -> Json:
    """What the part's certificate says; every promise of the part is checked."""
    certificate: Json = json.loads(part["certificate"])
    if certificate["kind"] != kind:
        raise BadProof(f"the {kind} part holds a certificate of kind {certificate['kind']}")
    if certificate["window"] != proof["window"]:
        raise BadProof(f"the {kind} certificate is of another window")
    _check_key(proof["venue_keys"], certificate["public_key"], part["recorded_seq"], kind)
    signer = certificate["public_key"]
    if venue_keys and signer not in venue_keys:
        raise BadProof(f"the {kind} certificate is signed with {signer}, which is no key you know as the venue's")
    text = part["certificate"].encode()
    try:
        VerifyKey(base64.b64decode(certificate["public_key"])).verify(text, base64.b64decode(part["signature"]))
    except BadSignatureError as error:
        raise BadProof(f"the {kind} certificate is not what the venue signed") from error
    statement = json.loads(part["statement"])
    if statement["version"] != certificate["statement_version"]:
        raise BadProof(f"the {kind} statement is of another version than its certificate")
    if statement["user"] * 100_000 + statement["subaccount"] != proof["account"]:
        raise BadProof(f"the {kind} statement is of another account")
    reached = _hash(b"\x00" + bytes.fromhex(part["salt"]) + part["statement"].encode())
    for sibling, on_the_right in part["path"]:
        other = bytes.fromhex(sibling)
        reached = _hash(b"\x01" + (reached + other if on_the_right else other + reached))
    if reached.hex() != certificate["root"]:
        raise BadProof(f"the {kind} statement does not lead to the root the venue signed")
    return certificate


def _check_key(keys: list[Json], public_key: str, recorded_seq: int, kind: str) -> None:
    for key in keys:
        if key["public_key"] == public_key:
            if key.get("revoked"):
                raise BadProof(f"the {kind} certificate is signed with a key the venue has revoked")
            if recorded_seq < key["since_seq"] or 0 < key.get("until_seq", 0) < recorded_seq:
                raise BadProof(f"the {kind} certificate is signed with a key that was not in force then")
            return
    raise BadProof(f"the {kind} certificate is signed with a key that was never the venue's")


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def _gate(result: Json) -> str:
    if result["passed"]:
        return f"Gate {result['gate']}: passed ({result['evidence']})."
    who = " and ".join(str(admin) for admin in result["waived_by"])
    return f"Gate {result['gate']}: FAILED ({result['evidence']}), and was waived by admins {who}."


def differences(before: Json, after: Json) -> list[str]:
    """What changed between two statements of one account, in plain words."""
    lines = []
    nothing = {"available": 0, "locked": 0}
    for asset in sorted(before["balances"].keys() | after["balances"].keys()):
        old, new = before["balances"].get(asset, nothing), after["balances"].get(asset, nothing)
        for bucket in ("available", "locked"):
            if old[bucket] != new[bucket]:
                lines.append(
                    f"{asset} {bucket}: {old[bucket]} atoms at closing, {new[bucket]} at opening "
                    f"({new[bucket] - old[bucket]:+})."
                )
    then = {order["id"]: order for order in before["orders"]}
    now = {order["id"]: order for order in after["orders"]}
    for order_id in sorted(then.keys() | now.keys()):
        if order_id not in now:
            lines.append(f"Order {order_id} on {then[order_id]['market']} was open at closing and is not at opening.")
        elif order_id not in then:
            lines.append(f"Order {order_id} on {now[order_id]['market']} is open at opening and was not at closing.")
        else:
            for name in sorted(then[order_id].keys() | now[order_id].keys()):
                old, new = then[order_id].get(name), now[order_id].get(name)
                if old != new:
                    lines.append(f"Order {order_id}: {name} was {old} at closing, is {new} at opening.")
    for name in sorted((before.keys() | after.keys()) - {"balances", "orders"}):
        old, new = before.get(name), after.get(name)
        if old != new:
            lines.append(f"{name.capitalize()} was {old} at closing, is {new} at opening.")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the proof of one account over one maintenance window.")
    parser.add_argument("proof", type=argparse.FileType("rb"), help="the proof, as the exchange gave it (- for stdin)")
    parser.add_argument(
        "--venue-key",
        action="append",
        default=[],
        help="a public key of the venue as you know it from elsewhere (base64); again for each, where it was rotated",
    )
    arguments = parser.parse_args()
    try:
        lines = verify(json.load(arguments.proof), *arguments.venue_key)
    except (BadProof, json.JSONDecodeError) as error:
        print(f"NOT PROVED: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    print("PROVED: the venue signed for these statements.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
