"""Examples shown on the OpenAPI page; tests check that each has the shape its operation answers with."""

from typing import Any, Final

Example = dict[str, Any]

ERROR: Final[Example] = {"code": "INVALID_CLIENT_REQUEST", "message": "Price decimal too long"}

ASSET: Final[Example] = {"symbol": "SOL", "displayName": "Solana", "coingeckoId": None, "tokens": []}

MARKET: Final[Example] = {
    "symbol": "SOL_USDC",
    "baseSymbol": "SOL",
    "quoteSymbol": "USDC",
    "marketType": "SPOT",
    "filters": {
        "price": {
            "minPrice": "0.01",
            "maxPrice": None,
            "tickSize": "0.01",
            "maxMultiplier": "1.25",
            "minMultiplier": "0.75",
            "maxImpactMultiplier": "1.05",
            "minImpactMultiplier": "0.95",
            "meanMarkPriceBand": None,
            "meanPremiumBand": None,
            "borrowEntryFeeMaxMultiplier": None,
            "borrowEntryFeeMinMultiplier": None,
        },
        "quantity": {"minQuantity": "0.01", "maxQuantity": None, "stepSize": "0.01"},
        "notional": {"minNotional": "1", "maxNotional": None},
    },
    "orderBookState": "Open",
    "createdAt": "2026-01-21T06:34:54.691",
    "imfFunction": None,
    "mmfFunction": None,
    "fundingInterval": None,
    "fundingRateUpperBound": None,
    "fundingRateLowerBound": None,
    "openInterestLimit": None,
    "positionLimitWeight": None,
    "visible": True,
}

TICKER: Final[Example] = {
    "symbol": "SOL_USDC",
    "firstPrice": "100",
    "lastPrice": "101.5",
    "priceChange": "1.5",
    "priceChangePercent": "0.015",
    "high": "102",
    "low": "99.5",
    "volume": "1200.5",
    "quoteVolume": "121000.75",
    "trades": "245",
}

DEPTH: Final[Example] = {
    "asks": [["101", "1"], ["102", "2"]],
    "bids": [["98", "1"], ["99", "2"]],
    "lastUpdateId": "1010",
    "timestamp": 1755000000000000,
}

KLINE: Final[Example] = {
    "start": "2026-07-19 13:09:00",
    "end": "2026-07-19 13:10:00",
    "open": "100",
    "high": "102",
    "low": "100",
    "close": "101.5",
    "volume": "10",
    "quoteVolume": "1012.5",
    "trades": "4",
}

TRADE: Final[Example] = {
    "id": 12345,
    "price": "100",
    "quantity": "0.5",
    "quoteQuantity": "50",
    "timestamp": 1755000000000,
    "isBuyerMaker": True,
}

PLACE_ORDER: Final[Example] = {
    "symbol": "SOL_USDC",
    "side": "Bid",
    "orderType": "Limit",
    "price": "100.5",
    "quantity": "1.5",
    "timeInForce": "GTC",
    "postOnly": True,
    "clientId": 7,
}

CANCEL_ORDER: Final[Example] = {"symbol": "SOL_USDC", "orderId": "54068"}

CANCEL_ALL: Final[Example] = {"symbol": "SOL_USDC"}

_NO_TRIGGERS: Final[Example] = {
    "triggerPrice": None,
    "triggerBy": None,
    "triggerQuantity": None,
    "takeProfitTriggerPrice": None,
    "takeProfitTriggerBy": None,
    "takeProfitLimitPrice": None,
    "stopLossTriggerPrice": None,
    "stopLossTriggerBy": None,
    "stopLossLimitPrice": None,
}

LIMIT_ORDER: Final[Example] = {
    "orderType": "Limit",
    "id": "54068",
    "clientId": 7,
    "createdAt": 1754939110174,
    "symbol": "SOL_USDC",
    "side": "Bid",
    "quantity": "1.5",
    "executedQuantity": "0",
    "executedQuoteQuantity": "0",
    "status": "New",
    "timeInForce": "GTC",
    "selfTradePrevention": "RejectTaker",
    "reduceOnly": None,
    **_NO_TRIGGERS,
    "triggeredAt": None,
    "relatedOrderId": None,
    "strategyId": None,
    "price": "100.5",
    "postOnly": True,
}

HISTORICAL_ORDER: Final[Example] = {
    "id": "54068",
    "clientId": 7,
    "createdAt": "2026-07-27T17:39:00.092",
    "symbol": "SOL_USDC",
    "side": "Bid",
    "orderType": "Limit",
    "price": "100.5",
    "quantity": "1.5",
    "quoteQuantity": None,
    "executedQuantity": "0.5",
    "executedQuoteQuantity": "50.25",
    "status": "Cancelled",
    "expiryReason": None,
    "cancelReason": "User",
    "endedSeq": 5411,
    "endedCommand": "CancelOrder",
    "endedBy": "key 1740",
    "timeInForce": "GTC",
    "postOnly": True,
    "selfTradePrevention": "RejectTaker",
    "slippageTolerance": None,
    "slippageToleranceType": None,
    "systemOrderType": None,
    **_NO_TRIGGERS,
    "strategyId": None,
}

FILL: Final[Example] = {
    "tradeId": 8299,
    "orderId": "54068",
    "clientId": "7",
    "symbol": "SOL_USDC",
    "side": "Bid",
    "price": "100.5",
    "quantity": "0.5",
    "fee": "0.0004",
    "feeSymbol": "SOL",
    "isMaker": True,
    "timestamp": "2026-07-27T17:39:00.092",
    "systemOrderType": None,
}

DEPOSIT: Final[Example] = {
    "id": 17,
    "symbol": "USDC",
    "quantity": "1000",
    "createdAt": "2026-03-01T09:12:44.718",
    "reference": "wire 2026-03-01/17",
    "source": "administrator",
    "status": "confirmed",
    "toAddress": None,
    "fromAddress": None,
    "transactionHash": None,
    "fiatAmount": None,
    "fiatCurrency": None,
    "institutionBic": None,
    "platformMemo": None,
}

LEDGER_ENTRY: Final[Example] = {
    "seq": 5406,
    "index": 0,
    "timestamp": "2026-07-27T17:39:00.092",
    "symbol": "USDC",
    "bucket": "locked",
    "quantity": "-50.25",
    "balance": "100.5",
    "kind": "trade",
    "command": "PlaceOrder",
    "actor": "another account",
    "market": "SOL_USDC",
    "orderId": "54068",
    "tradeId": 8299,
    "reference": None,
}

ACCOUNT: Final[Example] = {
    "autoBorrowSettlements": False,
    "autoLend": False,
    "autoRepayBorrows": False,
    "cancelAtClose": False,
    "leverageLimit": "10",
    "limitOrders": 3,
    "spotMakerFee": "8",
    "spotTakerFee": "10",
    "autoRealizePnl": False,
    "borrowLimit": "0",
    "futuresMakerFee": "0",
    "futuresTakerFee": "0",
    "liquidating": False,
    "positionLimit": "0",
    "triggerOrders": 0,
}

MAX_ORDER: Final[Example] = {
    "symbol": "SOL_USDC",
    "side": "Bid",
    "maxOrderQuantity": "12.5",
    "price": "100.5",
    "reduceOnly": None,
    "autoBorrow": None,
    "autoBorrowRepay": None,
    "autoLendRedeem": None,
}

CAPITAL: Final[Example] = {
    "SOL": {"available": "10", "locked": "0", "staked": "0"},
    "USDC": {"available": "900", "locked": "100", "staked": "0"},
}

COLLATERAL: Final[Example] = {
    "assetsValue": "1000",
    "collateral": [
        {
            "symbol": "USDC",
            "assetMarkPrice": "1",
            "totalQuantity": "1000",
            "balanceNotional": "1000",
            "collateralValue": "1000",
            "openOrderQuantity": "100",
            "availableQuantity": "900",
            "collateralWeight": "1",
            "lendQuantity": "0",
        }
    ],
    "netEquity": "1000",
    "netEquityAvailable": "900",
    "netEquityLocked": "100",
    "borrowLiability": "0",
    "imf": "0",
    "unsettledEquity": "0",
    "liabilitiesValue": "0",
    "marginFraction": None,
    "mmf": "0",
    "netExposureFutures": "0",
    "pnlUnrealized": "0",
}
