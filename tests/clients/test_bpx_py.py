"""bpx-py, unmodified, over REST, sync and async. It never raises: it gives back the parsed body.

Its metadata asks for an older `cryptography` than the other clients do, so it isn't installed with
them; `pip install --no-deps bpx-py` puts it beside them, and these tests run.
"""

from typing import Any

import pytest

from tests.server import Server

pytest.importorskip("bpx.account", reason="bpx-py is not installed: pip install --no-deps bpx-py")

pytestmark = pytest.mark.clients

SYMBOL = "BTC_USDC"


@pytest.fixture(autouse=True)
def pointed_at_the_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from bpx.base.base_account import BaseAccount
    from bpx.base.base_public import BasePublic

    monkeypatch.setattr(BaseAccount, "BPX_API_URL", server.http_url + "/")
    monkeypatch.setattr(BasePublic, "BASE_URL", server.http_url + "/")


def test_sync(server: Server) -> None:
    from bpx.account import Account
    from bpx.public import Public

    public = Public()
    assert public.get_status()["status"] == "Ok"
    assert isinstance(public.get_time(), int)
    assert SYMBOL in [market["symbol"] for market in public.get_markets()]
    assert set(public.get_depth(SYMBOL)) == {"asks", "bids", "lastUpdateId", "timestamp"}

    carol = server.accounts["carol"]
    account = Account(carol.api_key, carol.api_secret)
    placed = account.execute_order(SYMBOL, "Bid", "Limit", price="50000", quantity="0.001", client_id=9, post_only=True)
    assert placed["status"] == "New"
    assert placed["id"] in [order["id"] for order in account.get_open_orders(symbol=SYMBOL)]
    assert float(account.get_balances()["USDC"]["locked"]) >= 50
    # It sends the client id as text, and the query's booleans as True while it signs true.
    limit: Any = account.get_max_order_quantity(SYMBOL, "Bid", price="50000", auto_borrow=True)
    assert float(limit["maxOrderQuantity"]) > 0
    assert account.cancel_order(SYMBOL, client_id=9)["status"] == "Cancelled"
    assert account.cancel_order(SYMBOL, client_id=9) == {"code": "RESOURCE_NOT_FOUND", "message": "Not Found"}
    assert account.cancel_all_orders(SYMBOL) == []
    assert account.get_order_history(SYMBOL, limit=1)[0]["id"] == placed["id"]


async def test_async(server: Server) -> None:
    from bpx.async_.account import Account

    carol = server.accounts["carol"]
    account = Account(carol.api_key, carol.api_secret)
    placed = await account.execute_order(SYMBOL, "Bid", "Limit", price="50000", quantity="0.001")
    assert placed["status"] == "New"
    cancelled = await account.cancel_order(SYMBOL, order_id=placed["id"])
    assert (cancelled["id"], cancelled["status"]) == (placed["id"], "Cancelled")
