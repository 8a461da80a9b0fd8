"""Published examples of venues, the laws of every margin formula, and rows that come back as they went."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from faultline.instruments import (
    ContractKind,
    FormulaFamily,
    Instrument,
    Tier,
    asset_of,
    instrument_rows,
    instruments_from_rows,
    margin_tiers,
)
from faultline.messages import Batch, Kind
from faultline.units import Side

#: First six tiers of a large linear contract, as its venue publishes them.
CAPS_USD = (300e3, 800e3, 3e6, 12e6, 70e6, 100e6)
RATIOS = (0.004, 0.005, 0.0065, 0.01, 0.02, 0.025)
LEVERAGES = (150, 100, 75, 50, 25, 20)


def make(
    *,
    kind=ContractKind.LINEAR,
    family=FormulaFamily.MARK_VALUED,
    ratio=0.005,
    fee=0.0,
    size=1.0,
    tiers=None,
    symbol="BTCUSDT",
):
    tiers = tiers or (Tier(0.0, math.inf, ratio, 1000.0),)
    return Instrument(
        f"somewhere:{symbol}", "BTC", "USDT", kind, family, size, 0.1, 0.001, 5.0, tiers, taker_fee_ratio=fee
    )


# ---------------------------------------------------------------- published examples


def test_kraken_inverse_long_with_a_margin_of_a_hundredth_of_a_coin():
    """1,000 USD long at 8,000 with 0.01 BTC and 1 %: forced out at 7,481, bankrupt at 7,407."""
    contract = make(kind=ContractKind.INVERSE, ratio=0.01)
    leverage = 1000 / 8000 / 0.01
    assert contract.liquidation_price_usd(8000.0, leverage, Side.LONG) == pytest.approx(7481.48, abs=0.005)
    assert contract.bankruptcy_price_usd(8000.0, leverage, Side.LONG) == pytest.approx(7407.4, abs=0.01)


def test_kucoin_linear_long_of_forty_times_is_entry_valued():
    """40,000 at 40x and 0.4 %: 39,160 as published; the mark-valued formula would say 39,156.6."""
    entry_valued = make(family=FormulaFamily.ENTRY_VALUED, ratio=0.004)
    mark_valued = make(family=FormulaFamily.MARK_VALUED, ratio=0.004)
    assert entry_valued.liquidation_price_usd(40_000.0, 40.0, Side.LONG) == pytest.approx(39_160.0)
    assert mark_valued.liquidation_price_usd(40_000.0, 40.0, Side.LONG) == pytest.approx(39_156.6, abs=0.05)


def test_lighter_short_print_lies_at_the_computed_trigger():
    """Short of 0.01664 BTC at 74,975 with 25.58536 of margin, 1.2 %: trigger 75,605.4, bankruptcy 76,512."""
    contract = make(ratio=0.012)
    leverage = 0.01664 * 74_975 / 25.585360
    trigger = contract.liquidation_price_usd(74_975.0, leverage, Side.SHORT)
    assert trigger == pytest.approx(75_605.4, abs=0.1)
    assert contract.bankruptcy_price_usd(74_975.0, leverage, Side.SHORT) == pytest.approx(76_512.7, abs=0.2)
    assert abs(75_602.8 / trigger - 1) < 0.00004


@pytest.mark.parametrize("leverage", [3.0, 17.0, 100.0])
def test_coinex_bankruptcy_over_liquidation_of_a_short_is_one_plus_maintenance(leverage):
    contract = make(ratio=0.005)
    bankruptcy = contract.bankruptcy_price_usd(78_000.0, leverage, Side.SHORT)
    liquidation = contract.liquidation_price_usd(78_000.0, leverage, Side.SHORT)
    assert bankruptcy / liquidation == pytest.approx(1.0050, abs=1e-12)


def test_coinex_bankruptcy_over_liquidation_of_a_long_is_one_minus_maintenance():
    contract = make(ratio=0.005)
    bankruptcy = contract.bankruptcy_price_usd(78_000.0, 20.0, Side.LONG)
    liquidation = contract.liquidation_price_usd(78_000.0, 20.0, Side.LONG)
    assert bankruptcy / liquidation == pytest.approx(0.995, abs=1e-12)


@pytest.mark.parametrize(("side", "expected"), [(Side.LONG, 36_500.0), (Side.SHORT, 43_500.0)])
def test_htx_loses_all_but_the_adjustment_factor_of_its_margin(side, expected):
    """Factor 12.5 % at 10x: 87.5 % of a tenth of the price is lost when the position goes."""
    contract = make(family=FormulaFamily.LEVERAGE_ADJUSTED, ratio=0.125)
    assert contract.liquidation_price_usd(40_000.0, 10.0, side) == pytest.approx(expected)


def test_gate_counts_the_taker_fee_beside_the_maintenance_margin():
    """(E - margin/size) / (1 - (MMR + taker)) for a long."""
    contract = make(ratio=0.005, fee=0.00075, size=0.0001)
    expected = (60_000 - 60_000 / 25) / (1 - (0.005 + 0.00075))
    assert contract.liquidation_price_usd(60_000.0, 25.0, Side.LONG) == pytest.approx(expected)


@pytest.mark.parametrize(("side", "sign"), [(Side.LONG, 1), (Side.SHORT, -1)])
def test_bybit_inverse_isolated_with_a_deduction(side, sign):
    """[Size (1 ± MMR)] / [Size/E ± Size/E/L ± deduction], the deduction in coin."""
    size_usd, entry, leverage = 2_000_000.0, 50_000.0, 20.0
    tiers = (Tier(0.0, 1e6, 0.005, 100.0), Tier(1e6, math.inf, 0.01, 50.0, 5_000.0))
    contract = make(kind=ContractKind.INVERSE, tiers=tiers)
    deduction_coin = 5_000.0 / entry
    coin = size_usd / entry
    expected = size_usd * (1 + sign * 0.01) / (coin + sign * coin / leverage + sign * deduction_coin)
    got = contract.liquidation_price_usd(entry, leverage, side, notional_usd=size_usd)
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("side", "sign"), [(Side.LONG, 1), (Side.SHORT, -1)])
def test_entry_valued_inverse_as_published(side, sign):
    """Long Q / [Q/E + (IM - MM)], short Q / [Q/E - (IM - MM)]."""
    contract = make(kind=ContractKind.INVERSE, family=FormulaFamily.ENTRY_VALUED, ratio=0.005)
    size_usd, entry, leverage = 1_000.0, 9_000.0, 10.0
    coin = size_usd / entry
    expected = size_usd / (coin + sign * (coin / leverage - 0.005 * coin))
    assert contract.liquidation_price_usd(entry, leverage, side) == pytest.approx(expected, rel=1e-12)


def test_deductions_of_a_marginal_ladder_as_published():
    tiers = margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True)
    assert [tier.deduction_usd for tier in tiers] == pytest.approx([0, 300, 1_500, 12_000, 132_000, 482_000])


def test_maintenance_margin_of_a_marginal_ladder_does_not_jump_at_a_floor():
    tiers = margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True)
    for lower, upper in itertools.pairwise(tiers):
        at_usd = upper.floor_usd
        assert at_usd * lower.maintenance_ratio - lower.deduction_usd == pytest.approx(
            at_usd * upper.maintenance_ratio - upper.deduction_usd
        )


def test_closing_fee_is_paid_at_the_liquidation_price_in_an_entry_valued_formula():
    """Margin left at the price equals maintenance at entry plus the fee at that price."""
    contract = make(family=FormulaFamily.ENTRY_VALUED, ratio=0.0033, fee=0.0005)
    price = contract.liquidation_price_usd(3_000.0, 30.0, Side.SHORT)
    left = 3_000 / 30 + (3_000 - price)
    assert left == pytest.approx(0.0033 * 3_000 + 0.0005 * price)


# ---------------------------------------------------------------- laws

FAMILIES = st.sampled_from(list(FormulaFamily))
KINDS = st.sampled_from(list(ContractKind))
SIDES = st.sampled_from(list(Side))
PRICES = st.floats(1e-6, 1e7)
MARGINS = st.floats(1 / 200, 1 / 1.01)


def forced_out(kind, family, side, entry, margin, held):
    """Instrument whose maintenance and fee are ``held`` of the initial margin, and both its prices."""
    total = margin * held
    ratio = held * 0.9 if family is FormulaFamily.LEVERAGE_ADJUSTED else total * 0.9
    contract = make(kind=kind, family=family, ratio=ratio, fee=total * 0.1)
    leverage = 1 / margin
    liquidation = contract.liquidation_price_usd(entry, leverage, side)
    return contract, liquidation, contract.bankruptcy_price_usd(entry, leverage, side)


@given(KINDS, FAMILIES, SIDES, PRICES, MARGINS, st.floats(0.01, 0.95))
def test_long_liquidation_lies_below_entry_and_short_above(kind, family, side, entry, margin, held):
    _, liquidation, _ = forced_out(kind, family, side, entry, margin, held)
    assert (liquidation < entry) if side is Side.LONG else (liquidation > entry)


@given(KINDS, FAMILIES, SIDES, PRICES, MARGINS, st.floats(0.01, 0.95))
def test_bankruptcy_lies_beyond_liquidation(kind, family, side, entry, margin, held):
    contract, liquidation, bankruptcy = forced_out(kind, family, side, entry, margin, held)
    assume(math.isfinite(liquidation))
    assert (bankruptcy <= liquidation) if side is Side.LONG else (bankruptcy >= liquidation)
    if contract.contract_kind is not ContractKind.INVERSE and side is Side.LONG:
        assert bankruptcy > 0


@given(KINDS, FAMILIES, SIDES, PRICES, MARGINS, st.floats(0.01, 0.5), st.floats(1.001, 1.9))
def test_more_leverage_never_moves_liquidation_farther(kind, family, side, entry, margin, held, times):
    contract, liquidation, bankruptcy = forced_out(kind, family, side, entry, margin, held)
    nearer = contract.liquidation_price_usd(entry, times / margin, side)
    nearer_bankruptcy = contract.bankruptcy_price_usd(entry, times / margin, side)
    if side is Side.LONG:
        assert nearer >= liquidation
        assert nearer_bankruptcy >= bankruptcy
    else:
        assert nearer <= liquidation
        assert nearer_bankruptcy <= bankruptcy


@given(KINDS, FAMILIES, SIDES, PRICES, MARGINS, st.floats(0.01, 0.95))
def test_equity_at_the_liquidation_price_is_what_the_venue_demands(kind, family, side, entry, margin, held):
    """The slow twin: profit and loss of one contract worth one USD, by definition and not by formula."""
    contract, price, _ = forced_out(kind, family, side, entry, margin, held)
    assume(math.isfinite(price) and price > 0)
    ratio = contract.tiers[0].maintenance_ratio
    if family is FormulaFamily.LEVERAGE_ADJUSTED:
        ratio *= margin
    if kind is ContractKind.INVERSE:  # everything in coin
        margin_left = margin / entry + side * (1 / entry - 1 / price)
        value_then, value_now = 1 / entry, 1 / price
    else:
        margin_left = margin + side * (price - entry) / entry
        value_then, value_now = 1.0, price / entry
    valued_at = value_now if family is FormulaFamily.MARK_VALUED else value_then
    demanded = ratio * valued_at + contract.taker_fee_ratio * value_now
    scale = max(value_then, value_now)
    assert margin_left == pytest.approx(demanded, rel=1e-9, abs=1e-12 * scale)


@given(KINDS, SIDES, PRICES, MARGINS)
def test_equity_at_the_bankruptcy_price_is_nothing(kind, side, entry, margin):
    price = make(kind=kind).bankruptcy_price_usd(entry, 1 / margin, side)
    if kind is ContractKind.INVERSE:
        left, scale = margin / entry + side * (1 / entry - 1 / price), 1 / entry
    else:
        left, scale = margin + side * (price - entry) / entry, 1.0
    assert left == pytest.approx(0.0, abs=1e-9 * scale)


@given(KINDS, FAMILIES, st.lists(st.tuples(PRICES, MARGINS, SIDES, st.floats(0, 2e8)), max_size=20))
def test_arrays_give_what_scalars_give(kind, family, rows):
    contract = make(
        kind=kind, family=family, fee=0.0004, tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True)
    )
    columns = np.array(rows).reshape(-1, 4)
    entry, leverage, side, notional = columns[:, 0], 1 / columns[:, 1], columns[:, 2], columns[:, 3]
    prices = contract.liquidation_price_usd(entry, leverage, side, notional_usd=notional)
    assert prices.shape == (len(rows),)
    for i in range(len(rows)):
        one = contract.liquidation_price_usd(entry[i], leverage[i], int(side[i]), notional_usd=notional[i])
        assert isinstance(one, float)
        assert one == prices[i] or (math.isnan(one) and math.isnan(prices[i]))


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("kind", [ContractKind.LINEAR, ContractKind.QUANTO])
def test_an_unlevered_long_is_never_forced_out(kind):
    contract = make(kind=kind)
    assert contract.liquidation_price_usd(100.0, 1.0, Side.LONG) == 0.0
    assert contract.bankruptcy_price_usd(100.0, 1.0, Side.LONG) == 0.0


def test_an_unlevered_inverse_short_is_a_synthetic_dollar_and_never_forced_out():
    contract = make(kind=ContractKind.INVERSE)
    assert contract.liquidation_price_usd(100.0, 1.0, Side.SHORT) == math.inf
    assert contract.bankruptcy_price_usd(100.0, 1.0, Side.SHORT) == math.inf


@pytest.mark.parametrize("family", list(FormulaFamily))
@pytest.mark.parametrize(
    ("entry", "leverage", "side", "notional"),
    [
        (math.nan, 10.0, 1, 0.0),
        (math.inf, 10.0, 1, 0.0),
        (-5.0, 10.0, 1, 0.0),
        (0.0, 10.0, -1, 0.0),
        (100.0, math.nan, 1, 0.0),
        (100.0, 0.5, 1, 0.0),
        (100.0, 10.0, 0, 0.0),
        (100.0, 10.0, 1, math.nan),
        (100.0, 10.0, 1, -1.0),
        (100.0, 10.0, 1, 1e12),
    ],
)
def test_an_impossible_position_has_no_price(family, entry, leverage, side, notional):
    contract = make(family=family, tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True))
    assert math.isnan(contract.liquidation_price_usd(entry, leverage, side, notional_usd=notional))


def test_a_position_already_under_maintenance_has_no_price():
    assert math.isnan(make(ratio=0.02).liquidation_price_usd(100.0, 50.0, Side.LONG))


def test_empty_arrays_give_empty_arrays():
    none = np.empty(0)
    assert make().liquidation_price_usd(none, none, none).shape == (0,)
    assert make().notional_usd(none, none).shape == (0,)


def test_tier_of_a_notional_and_beyond():
    contract = make(tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True))
    assert contract.tier_of(0.0).max_leverage == 150
    assert contract.tier_of(299_999.0).max_leverage == 150
    assert contract.tier_of(300_000.0).max_leverage == 100
    assert contract.max_leverage == 150
    for impossible in (100e6, -1.0, math.nan):
        with pytest.raises(ValueError, match="somewhere:BTCUSDT has no margin tier"):
            contract.tier_of(impossible)


def test_notional_of_each_kind_of_contract():
    linear = make(size=0.001)
    inverse = make(kind=ContractKind.INVERSE, size=100.0)
    quanto = make(kind=ContractKind.QUANTO, size=1e-6)
    assert linear.notional_usd(2_000, 50_000.0) == pytest.approx(100_000)
    assert linear.qty_base(2_000, 50_000.0) == pytest.approx(2.0)
    assert inverse.notional_usd(1_000, 50_000.0) == 100_000.0
    assert inverse.qty_base(1_000, 50_000.0) == pytest.approx(2.0)
    # 1e-6 BTC per unit of price: at BTC 50,000 one contract moves like 0.05 of the base asset
    assert quanto.qty_base(10, 2_000.0, settlement_usd=50_000.0) == pytest.approx(0.5)
    assert quanto.notional_usd(10, 2_000.0, settlement_usd=50_000.0) == pytest.approx(1_000.0)
    assert math.isnan(quanto.notional_usd(10, 2_000.0))


@given(KINDS, st.floats(1.0, 1e9), PRICES)
def test_contracts_of_a_notional_are_worth_that_notional(kind, notional, price):
    contract = make(kind=kind, size=0.01)
    contracts = contract.qty_contracts(notional, price, settlement_usd=30_000.0)
    assert contract.notional_usd(contracts, price, settlement_usd=30_000.0) == pytest.approx(notional)


def test_notional_broadcasts_over_prices_for_every_kind():
    prices = np.array([1.0, 2.0, 4.0])
    assert make(kind=ContractKind.INVERSE, size=10.0).notional_usd(3, prices).tolist() == [30.0] * 3
    assert make(size=10.0).qty_base(3, prices).tolist() == [30.0] * 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": "BTCUSDT"}, "venue:SYMBOL"),
        ({"base": ""}, "base"),
        ({"quote": "A" * 17}, "quote"),
        ({"contract_kind": 7}, "contract_kind"),
        ({"formula_family": 7}, "formula_family"),
        ({"contract_size": 0.0}, "contract_size"),
        ({"contract_size": math.nan}, "contract_size"),
        ({"tick_usd": -1.0}, "tick_usd"),
        ({"lot_base": math.inf}, "lot_base"),
        ({"min_notional_usd": -1.0}, "min_notional_usd"),
        ({"taker_fee_ratio": math.nan}, "taker_fee_ratio"),
        ({"tiers": ()}, "tiers"),
        ({"tiers": (Tier(1.0, 2.0, 0.01, 10.0),)}, "contiguous"),
        ({"tiers": (Tier(0.0, 2.0, 0.01, 10.0), Tier(3.0, 4.0, 0.02, 5.0))}, "contiguous"),
        ({"tiers": (Tier(0.0, 0.0, 0.01, 10.0),)}, "contiguous"),
        ({"tiers": (Tier(0.0, 2.0, 1.01, 10.0),)}, "maintenance ratio"),
        ({"tiers": (Tier(0.0, 2.0, math.nan, 10.0),)}, "maintenance ratio"),
        ({"tiers": (Tier(0.0, 2.0, 0.01, 0.5),)}, "leverage"),
        ({"tiers": (Tier(0.0, 2.0, 0.01, 5.0, -1.0),)}, "deduction"),
    ],
)
def test_an_impossible_instrument_is_refused_by_name(change, named):
    good = make()
    facts = {field: getattr(good, field) for field in good.__struct_fields__}
    with pytest.raises(ValueError, match=named):
        Instrument(**{**facts, **change})


def test_ladders_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        margin_tiers((1.0, 2.0), (0.1,), (10.0, 5.0), marginal=False)


# ---------------------------------------------------------------- rows


def test_rows_come_back_as_they_went_oldest_moment_first():
    flat = make(tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=False), fee=0.0005)
    marginal = make(
        kind=ContractKind.INVERSE,
        family=FormulaFamily.ENTRY_VALUED,
        tiers=margin_tiers((1e6, math.inf), (0.004, 0.01), (125, 50), marginal=True),
    )
    later, earlier = instrument_rows(flat, 2_000), instrument_rows(marginal, 1_000)
    rows = np.concatenate([later, earlier, later])
    assert instruments_from_rows("somewhere:BTCUSDT", rows) == ((1_000, marginal), (2_000, flat))


def test_rows_make_a_batch_and_name_their_tiers():
    contract = make(tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True))
    batch = Batch(Kind.INSTRUMENT, contract.id, instrument_rows(contract, 5))
    assert batch.rows["tier"].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isnan(batch.rows["insurance_fund_usd"]).all()
    assert (batch.venue, batch.symbol, contract.asset) == ("somewhere", "BTCUSDT", "BTC")


def test_a_fee_that_nobody_knows_of_is_not_counted():
    rows = instrument_rows(make(), 1)
    rows["taker_fee_ratio"] = np.nan
    assert instruments_from_rows("somewhere:BTCUSDT", rows) == ((1, make()),)


def test_no_rows_make_no_instrument():
    assert instruments_from_rows("a:B", instrument_rows(make(), 1)[:0]) == ()


@pytest.mark.parametrize("field", ["contract_kind", "formula_family"])
def test_rows_of_an_unknown_kind_are_refused(field):
    rows = instrument_rows(make(), 1)
    rows[field] = 9
    with pytest.raises(ValueError, match="a:B: 9 is not a valid"):
        instruments_from_rows("a:B", rows)


def test_rows_with_a_missing_tier_are_refused():
    rows = instrument_rows(make(tiers=margin_tiers(CAPS_USD, RATIOS, LEVERAGES, marginal=True)), 1)
    with pytest.raises(ValueError, match="a:B: tiers must be contiguous"):
        instruments_from_rows("a:B", rows[1:])


@pytest.mark.parametrize(
    ("instrument_id", "asset"),
    [
        ("binance:BTCUSDT", "BTC"), ("okx:BTC-USDT-SWAP", "BTC"), ("mixed:SOL", "SOL"), ("hyperliquid:HYPE", "HYPE"),
        ("deribit:ETH-PERPETUAL", "ETH-PERPETUAL"), ("binance:1000PEPEUSDC", "1000PEPE"),
        ("kraken:PF_XBTUSD", "PF_XBT"), ("bybit:USDCUSDT", "USDC"), ("x:USDT", "USDT"),
    ],
)  # fmt: skip
def test_the_asset_of_an_id_is_its_symbol_up_to_the_quote(instrument_id, asset):
    assert asset_of(instrument_id, {}) == asset
