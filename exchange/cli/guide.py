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
    accounts = _shown(settings.data / "demo-accounts.json")
    shut = (
        ""
        if mode is Mode.FULL
        else f"""
The venue is {mode}: this is another build than the one before, or it was left so. To open it again:

  {exchange} admin{data}{url} mode POST_ONLY --reason "a look around"
  {exchange} admin{data}{url} mode FULL --reason "a look around"
"""
    )
    return f"""
The exchange is open: {settings.http_url} (docs at {settings.http_url}/docs), trading WebSocket {settings.ws_url}
Funded accounts with their keys: {accounts}
{shut}
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

Ctrl-C stops it; starting it again goes on where it was.
"""
