"""What the demo tells people to try: lines that work when pasted into a terminal."""

import shlex
import sys
from pathlib import Path

from exchange.cli.settings import Settings
from exchange.values.enums import Mode


def _shown(path: Path) -> str:
    """As short as it can be said from where the person stands."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def what_to_try(settings: Settings, mode: Mode) -> str:
    python = _shown(Path(sys.executable))
    exchange = _shown(Path(sys.executable).with_name("exchange"))
    data = "" if settings.data == Path("data") else f" --data {_shown(settings.data)}"
    url = "" if settings.http_port == 8000 else f" --url {settings.http_url}"
    second = _shown(settings.data / "keys" / "admin-2.json")
    accounts = _shown(settings.data / "demo-accounts.json")
    word = {
        Mode.FULL: "",
        Mode.OFFLINE: "It is OFFLINE: another build ran before, so it proves its books, then opens.\n",
    }.get(mode, f"It is {mode}, as it was left.\n")
    return f"""
The exchange runs: {settings.http_url} (docs at {settings.http_url}/docs), trading WebSocket {settings.ws_url}
Funded accounts with their keys: {accounts}
{word}
In another terminal, in this folder:

  curl -s '{settings.http_url}/api/v1/depth?symbol=SOL_USDC&limit=5' && echo

  {python} -m pip install --quiet ccxt && {python} - <<'EOF'
import ccxt, json
alice = json.load(open("{accounts}"))[0]
exchange = ccxt.backpack({{"apiKey": alice["apiKey"], "secret": alice["apiSecret"]}})
exchange.urls["api"] = {{"public": "{settings.http_url}", "private": "{settings.http_url}"}}
print(exchange.create_order("SOL/USDC", "market", "buy", 1))
print(exchange.fetch_balance()["SOL"])
EOF

  {exchange} admin{data}{url} status
  {exchange} admin{data}{url} mode POST_ONLY --market SOL_USDC --reason "a look around"
  {exchange} admin{data}{url} mode FULL --market SOL_USDC --reason "and on"
  {exchange} journal show{data} --last 5
  {exchange} verify{data}

A maintenance window: it shuts after 20 s; some seconds later its gates have passed, and `window list` says it waits
for approvals. Give the two then: it goes to POST_ONLY a minute after it shut, and 20 s later it is open.

  {exchange} admin{data}{url} window plan --offline-at +20s --post-only-at +60s --full-at +20s --reason "an upgrade"
  {exchange} admin{data}{url} window list
  {exchange} admin{data}{url} approve --reason "I have read the report"
  {exchange} admin{data}{url} --key {second} approve --reason "so have I"

Ctrl-C stops it; starting it again goes on where it was.
"""
