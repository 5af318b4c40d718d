"""`exchange admin ...` against a running exchange: what it changes, and what it says when it may not."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from exchange.cli.exits import Exit
from exchange.cli.keys import KeyFile, read_key, write_private
from tests.server import Server, free_port


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An exchange of this module's own, for it changes modes."""
    server = Server(tmp_path_factory.mktemp("admin") / "data")
    server.start()
    yield server
    assert server.stop() == 0


def admin(server: Server, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    where = ("--data", str(server.data), "--url", server.http_url, *options)
    return subprocess.run(
        [sys.executable, "-m", "exchange.cli", "admin", *where, *arguments], capture_output=True, text=True, timeout=30
    )


def done(server: Server, *arguments: str) -> list[dict[str, object]]:
    """The events of a command that is carried out."""
    ended = admin(server, *arguments, options=("--json",))
    assert ended.returncode == Exit.OK, ended.stderr
    events: list[dict[str, object]] = json.loads(ended.stdout)["events"]
    return events


def agreed(server: Server, *arguments: str) -> dict[str, object]:
    """What a command causes that both admins run."""
    (proposed,) = done(server, *arguments)
    assert proposed["type"] == "CommandProposed"
    _, event = second_does(server, *arguments)
    return event


def second_does(server: Server, *arguments: str) -> list[dict[str, object]]:
    ended = admin(server, *arguments, options=("--json", "--key", str(server.data / "keys" / "admin-2.json")))
    assert ended.returncode == Exit.OK, ended.stderr
    events: list[dict[str, object]] = json.loads(ended.stdout)["events"]
    return events


def state_of(server: Server, market: str) -> str:
    answer = httpx.get(f"{server.http_url}/api/v1/market", params={"symbol": market})
    return str(answer.json()["orderBookState"])


def test_a_market_goes_down_and_up_with_the_reason_shown(own: Server) -> None:
    done(own, "mode", "post_only", "--market", "SOL_USDC", "--reason", "a check")
    assert (state_of(own, "SOL_USDC"), state_of(own, "BTC_USDC")) == ("PostOnly", "Open")
    shown = admin(own, "status")
    assert "a check" in shown.stdout
    done(own, "mode", "FULL", "--market", "SOL_USDC", "--reason", "checked")
    assert state_of(own, "SOL_USDC") == "Open"


def test_the_venue_goes_down_at_once_and_up_by_steps(own: Server) -> None:
    done(own, "mode", "POST_ONLY", "--reason", "a check")
    assert {state_of(own, market) for market in ("SOL_USDC", "BTC_USDC", "ETH_USDC")} == {"PostOnly"}
    done(own, "mode", "LIMIT_ONLY", "--reason", "a canary")
    assert state_of(own, "SOL_USDC") == "LimitOnly"
    done(own, "mode", "FULL", "--reason", "all is well")
    assert state_of(own, "SOL_USDC") == "Open"


def test_a_shut_venue_says_so_and_is_not_opened_in_one_step(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server()
    done(server, "mode", "OFFLINE", "--reason", "closing")
    assert httpx.get(f"{server.http_url}/api/v1/status").json() == {
        "status": "Maintenance",
        "message": "OFFLINE: closing",
    }
    refused = admin(server, "mode", "FULL", "--reason", "too fast")
    assert refused.returncode == Exit.REFUSED
    assert "PRECONDITION_FAILED" in refused.stderr


def test_who_did_it_and_why_is_recorded(own: Server) -> None:
    done(own, "pause", "deposits", "--asset", "SOL", "--reason", "the chain is down")
    shown = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "journal", "show", "--data", str(own.data), "--last", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SetPause admin=" in shown.stdout
    assert "the chain is down" in shown.stdout
    done(own, "pause", "deposits", "--asset", "SOL", "--off", "--reason", "it is back")


def test_an_account_is_opened_funded_and_given_a_key(own: Server, tmp_path: Path) -> None:
    (opened,) = done(own, "account", "open", "--label", "erin")
    account = str(opened["account"])
    made = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "keygen", str(tmp_path / "erin.json")], capture_output=True, text=True
    )
    (added,) = done(own, "key", "add", account, made.stdout.strip(), "--scope", "read")
    assert added["scopes"] == ["read"]
    (posted,) = done(own, "deposit", account, "SOL", "12.5", "--reference", "wire 1")
    assert posted["type"] == "Posted"
    assert admin(own, "deposit", account, "SOL", "12.5", "--reference", "wire 1").returncode == Exit.REFUSED
    assert admin(own, "deposit", account, "SOL", "0.0000000001", "--reference", "wire 2").returncode == Exit.USAGE
    assert admin(own, "deposit", account, "XRP", "1", "--reference", "wire 3").returncode == Exit.USAGE
    done(own, "key", "revoke", str(added["key_id"]), "--reason", "lost")


def test_terms_change(own: Server) -> None:
    (filters,) = done(own, "filters", "SOL_USDC", "--max-quantity", "1000", "--price-band", "0.5", "2", "--reason", "x")
    assert filters["type"] == "FiltersChanged"
    market = httpx.get(f"{own.http_url}/api/v1/market", params={"symbol": "SOL_USDC"}).json()
    assert market["filters"]["quantity"]["maxQuantity"] == "1000"
    assert (market["filters"]["price"]["minMultiplier"], market["filters"]["price"]["maxMultiplier"]) == ("0.5", "2")
    assert admin(own, "filters", "SOL_USDC", "--min-quantity", "0.001", "--reason", "x").returncode == Exit.USAGE
    tiers = agreed(own, "fee-tiers", "VIP0:8:10", "VIP1:6:8", "--reason", "new schedule")
    assert len(tiers["fee_tiers"]) == 2  # type: ignore[arg-type]
    (opened,) = done(own, "account", "open")
    user = str(int(str(opened["account"])) // 100_000)
    done(own, "user-tier", user, "1", "--reason", "volume")
    done(own, "limits", "--open-orders-per-market", "500", "--opening-grace-s", "0", "--reason", "crowded")
    done(own, "auto-resume", "--off", "--reason", "tonight")


def test_an_asset_and_a_market_are_listed_shut(own: Server) -> None:
    agreed(own, "list-asset", "JUP", "6", "--name", "Jupiter", "--reason", "asked for")
    terms = ("--tick", "0.0001", "--step", "0.1", "--reference-price", "0.5", "--reason", "asked for")
    agreed(own, "list-market", "JUP", "USDC", *terms)
    assert state_of(own, "JUP_USDC") == "Closed"


def test_another_admin_acts_within_their_roles_until_revoked(own: Server, tmp_path: Path) -> None:
    second = KeyFile.generate("second")
    write_private(tmp_path / "second.json", second)
    added = agreed(own, "admin", "add", "second", second.api_key, "--role", "auditor", "--reason", "books")
    with_key = ("--key", str(tmp_path / "second.json"))
    assert admin(own, "status", options=with_key).returncode == Exit.OK
    assert admin(own, "mode", "OFFLINE", "--reason", "x", options=with_key).returncode == Exit.REFUSED
    changed = agreed(own, "admin", "change", str(added["admin"]), "--role", "support", "--reason", "helps out")
    assert changed["roles"] == ["support"]
    done(own, "admin", "revoke", str(added["admin"]), "--reason", "left")
    assert admin(own, "status", options=with_key).returncode == Exit.REFUSED


def test_what_takes_two_says_so_and_prints_the_command_to_hand_on(own: Server) -> None:
    key = KeyFile.generate("third").api_key
    first = admin(own, "admin", "add", "third one", key, "--role", "approver", "--reason", "mine")
    assert first.returncode == Exit.OK
    assert "proposed" in first.stderr
    assert "a second approver" in first.stderr
    shown = admin(own, "proposals").stdout
    assert "AddAdmin" in shown
    assert "mine" in shown
    assert f'added.public_key = "{key}"' in shown, "the second person checks it letter by letter"
    assert "commands wait for a second person" in admin(own, "status").stderr
    (command,) = (line.strip() for line in first.stderr.splitlines() if line.startswith("  exchange admin "))
    words = [sys.executable, "-m", "exchange.cli", *shlex.split(command)[1:]]
    words[words.index("THEIR-KEY.json")] = str(own.data / "keys" / "admin-2.json")
    second = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert second.returncode == Exit.OK, second.stderr
    assert "AdminAdded" in second.stderr
    status = admin(own, "status").stdout
    assert "3 approvers" in status
    assert "alone" in status
    (proposal,) = done(own, "rule", "activate", "band-by-side", "--reason", "x")
    done(own, "withdraw", str(proposal["proposal"]), "--reason", "not yet")
    assert json.loads(admin(own, "proposals", options=("--json",)).stdout) == []


def test_a_stranger_is_refused_and_a_traders_key_too(own: Server, tmp_path: Path) -> None:
    alice = own.accounts["alice"]
    for name, key in (("x", KeyFile.generate("x")), ("alice", KeyFile("alice", alice.api_key, alice.api_secret))):
        write_private(tmp_path / f"{name}.json", key)
        refused = admin(own, "mode", "OFFLINE", "--reason", "x", options=("--key", str(tmp_path / f"{name}.json")))
        assert refused.returncode == Exit.REFUSED
        assert "INVALID_SIGNATURE" in refused.stderr


def test_nobody_there_is_said(own: Server) -> None:
    nobody = ("--url", f"http://127.0.0.1:{free_port()}")
    assert admin(own, "status", options=nobody).returncode == Exit.UNREACHABLE


def test_keys_are_for_their_owner_alone(own: Server) -> None:
    for path in (*(own.data / "keys").iterdir(), own.data / "demo-accounts.json"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert read_key(own.admin_key).api_secret not in repr(read_key(own.admin_key))


def test_no_secret_is_in_the_journal_or_the_log(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server(settings={"EXCHANGE_LOG_LEVEL": "debug"})
    secrets = [account.api_secret for account in server.accounts.values()]
    secrets += [read_key(path).api_secret for path in (server.data / "keys").iterdir()]
    assert server.stop() == 0
    written = server.log.read_bytes()
    written += b"".join(path.read_bytes() for path in server.data.rglob("*sqlite*"))
    assert not [secret for secret in secrets if secret.encode() in written]
