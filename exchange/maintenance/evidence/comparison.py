"""What differs between two statements of one account, for a person: asset, amount, order, before and after."""

from typing import Any

import msgspec

from exchange.maintenance.evidence.certificates import Body
from exchange.maintenance.evidence.statements import Statement
from exchange.values.ids import AccountId


class AccountDifference(msgspec.Struct, frozen=True):
    account: AccountId
    lines: tuple[str, ...]


def compare(before: Body, after: Body) -> tuple[AccountDifference, ...]:
    """Every account whose statements differ, by id."""
    then = dict(zip(before.accounts, before.statements, strict=True))
    now = dict(zip(after.accounts, after.statements, strict=True))
    found = []
    for account in sorted(then.keys() | now.keys()):
        old, new = then.get(account), now.get(account)
        if old == new:
            continue
        if old is None or new is None:
            lines: tuple[str, ...] = ("the account is missing" if new is None else "the account was not there before",)
        else:
            lines = differences(msgspec.json.decode(old), msgspec.json.decode(new))
        found.append(AccountDifference(account, lines))
    return tuple(found)


def differences(before: Statement, after: Statement) -> tuple[str, ...]:
    """One line per difference."""
    lines = _balances(before["balances"], after["balances"])
    lines += _orders({o["id"]: o for o in before["orders"]}, {o["id"]: o for o in after["orders"]})
    for name in sorted((before.keys() | after.keys()) - {"balances", "orders", "history"}):
        if before.get(name) != after.get(name):
            lines.append(f"{name}: {before.get(name)} before, {after.get(name)} after")
    for kind in sorted(before["history"].keys() | after["history"].keys()):
        old, new = before["history"].get(kind), after["history"].get(kind)
        if old != new:
            lines.append(f"history of {kind}: {_history(old)} before, {_history(new)} after")
    return tuple(lines)


def _balances(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> list[str]:
    nothing = {"available": 0, "locked": 0}
    return [
        f"{asset} {bucket}: {old} atoms before, {new} after ({new - old:+})"
        for asset in sorted(before.keys() | after.keys())
        for bucket in ("available", "locked")
        if (old := before.get(asset, nothing)[bucket]) != (new := after.get(asset, nothing)[bucket])
    ]


def _orders(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]) -> list[str]:
    lines = []
    for order_id in sorted(before.keys() | after.keys()):
        old, new = before.get(order_id), after.get(order_id)
        if old is None or new is None:
            what = "was open before and is not now" if new is None else "is open and was not before"
            order = old or new or {}
            lines.append(
                f"order {order_id} {what}: {order['side']} {order['left_lots']} lots at {order['price_ticks']} ticks"
                f" on {order['market']}"
            )
            continue
        lines += [
            f"order {order_id} {name}: {old.get(name)} before, {new.get(name)} after"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return lines


def _history(chain: dict[str, Any] | None) -> str:
    return "none" if chain is None else f"{chain['count']} entries ({chain['hash'][:8]})"
