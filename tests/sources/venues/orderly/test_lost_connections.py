"""A liquidation that waits for its price when the connection is lost, or when recording ends."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.sources.local_venue import Recording, local, mark, now_ms, plain_script, until, venue

from faultline.messages import Kind
from faultline.testing.facts import LiquidationFact
from faultline.testing.link import Cut
from faultline.units import PriceKind

BTC = "PERP_BTC_USDC"


def bare(self, fact, now_ns):
    """Liquidations come without the mark price before them."""
    found = super(type(self), self).frames(fact, now_ns)
    return found[1:] if isinstance(fact, LiquidationFact) else found


@pytest.mark.parametrize("is_marked", [True, False])
def test_it_is_written_with_the_next_mark_price_or_with_none(is_marked):
    async def go():
        async with local(plain_script("orderly", frames=bare)) as server:
            recording = Recording([server], venues=[venue("orderly")])
            async with recording.running():
                await server.subscribed("liquidation", timeout_s=60.0)
                await server.publish(LiquidationFact(BTC, now_ms(), 7, 1, 100_000.0, 3.0))
                await until(lambda: recording.venue("orderly").n_frames > 0)
                assert await server.settle(timeout_s=30.0)
                await server.cut(Cut.CLOSE)
                await until(lambda: recording.venue("orderly").n_reconnects > 0)
                await server.subscribed("liquidation", timeout_s=60.0)
                if is_marked:
                    await server.publish(mark(99_000.0, BTC))
                    await until(lambda: recording.rows(Kind.LIQUIDATION, f"orderly:{BTC}"))
            return recording.rows(Kind.LIQUIDATION, f"orderly:{BTC}")

    (row,) = asyncio.run(go())
    assert (row["seq"], row["side"], row["qty_base"]) == (7, 1, 3.0)
    if is_marked:
        assert (row["price_kind"], row["price_usd"]) == (PriceKind.MARK, 99_000.0)
    else:
        assert row["price_kind"] == PriceKind.UNKNOWN
        assert np.isnan(row["price_usd"])
