"""Nothing in, the hand-written end of the page on worlds out: what the truth holds and what a score reads."""

from __future__ import annotations

TRUTH = """\
## Truth

`faultline simulate` writes with `--truth` one Parquet file per table and `manifest.json` (world, seed, span,
rows). Times are nanoseconds since 1970, UTC; sides are of the position, +1 long and -1 short; instruments are ids
such as `simx:BTCUSDT`.

### `liquidations.parquet`

Every liquidation, published or not.

| column | meaning |
| --- | --- |
| `ts_event_ns` | When the mark reached the level. |
| `instrument` | Instrument. |
| `position_id` | Position that was taken. |
| `side` | Side of the position. |
| `trader` | Class of the trader. |
| `leverage` | Leverage setting of the position. |
| `is_cross` | Whether it was on cross margin. |
| `qty_base` | Quantity in base units. |
| `notional_usd` | Quantity at the liquidation level. |
| `entry_price_usd` | Entry. |
| `level_price_usd` | Liquidation level. |
| `bankruptcy_price_usd` | Price at which the margin was gone; most venues print this one, on the tick. |
| `mark_price_usd` | Mark at the end of the step in which it happened. |
| `fill_price_usd` | Price at which the venue closed it. |
| `step` | How many steps of its liquidation came before this one. |
| `is_handed_over` | Whether winners took it over and no order reached the market. |
| `opened_ns` | When the position was opened. |
| `is_reported` | Whether the venue published it. |
| `contagion` | 1: without forced impact the mark would not have got there in 30 minutes; 0: it would; -1: not known. |
| `caused` | 1: the run without forced impact did not take it within 30 minutes; 0: it did; -1: not known. |

### `winners.parquet`

Winning positions that a venue closed by auto-deleveraging; only in worlds where one does.

| column | meaning |
| --- | --- |
| `ts_event_ns` | When it was closed: the end of the step. |
| `instrument` | Instrument. |
| `position_id` | Position. |
| `side` | Side of the closed position. |
| `leverage` | Leverage setting. |
| `qty_base` | Quantity that was closed, in base units. |
| `entry_price_usd` | Entry. |
| `price_usd` | Price at which it was closed. |

### `odds.parquet`

True odds every `truth_odds_every_s`: frequencies among futures that are drawn from the state of that moment. Only in
worlds that ask for them.

| column | meaning |
| --- | --- |
| `t_ns` | Time from which the futures run. |
| `instrument` | Instrument. |
| `side` | Side of the positions in the way: +1 the mark falls, -1 it rises. |
| `distance_bps` | Distance from the mark, bp of log price. |
| `horizon_s` | Length of the futures, s. |
| `n_runs` | Their number. |
| `hit_prob` | Share that reach the distance. |
| `unforced_hit_prob` | Share that reach it where liquidations leave no trace in the price; the rest is chains. |
| `liquidated_usd` | Mean notional of that side that is liquidated in futures that reach it; NaN: none does. |
| `unforced_liquidated_usd` | The same where liquidations leave no trace. |

### `opens.parquet`

The true leverage mix: opened positions between two snapshots.

| column | meaning |
| --- | --- |
| `from_ns` | Start, inclusive. |
| `to_ns` | End, exclusive. |
| `instrument` | Instrument. |
| `side` | Side. |
| `leverage` | Leverage setting. |
| `n_opens` | Positions opened. |
| `notional_usd` | Their notional at entry. |

### `standing.parquet`

The true standing map every `truth_map_every_s`, and at the start.

| column | meaning |
| --- | --- |
| `t_ns` | Time of the map. |
| `instrument` | Instrument. |
| `side` | Side of the positions. |
| `price_low_usd` | Lower end of a bucket of 5 bp. |
| `price_high_usd` | Upper end. |
| `notional_usd` | Notional at entry of the open positions whose liquidation level lies in the bucket. |
| `n_positions` | Their number. |

### `positions.parquet`

Every open position, every `truth_positions_every_s`; missing where the world records none.

| column | meaning |
| --- | --- |
| `t_ns` | Time of the table. |
| `instrument` | Instrument. |
| `position_id` | Position. |
| `side` | Side. |
| `trader` | Class of the trader. |
| `leverage` | Leverage setting. |
| `is_cross` | Whether it is on cross margin. |
| `qty_base` | Quantity in base units. |
| `notional_usd` | Quantity at entry. |
| `entry_price_usd` | Entry. |
| `level_price_usd` | Liquidation level. |
| `bankruptcy_price_usd` | Price at which the margin is gone. |
| `margin_ratio` | Posted margin over notional at entry. |
| `has_stop` | Whether a stop lies before the level. |
| `opened_ns` | When it was opened. |

### `path.parquet`

One row a minute and instrument.

| column | meaning |
| --- | --- |
| `t_ns` | Time. |
| `instrument` | Instrument. |
| `last_price_usd` | Last price. |
| `mark_price_usd` | Mark. |
| `unforced_mark_usd` | Mark without the standing impact of forced orders. |
| `volatility_per_day_ratio` | Volatility of that moment. |
| `regime` | Regime. |
| `depth_ratio` | Depth of the venue's book over normal; 1 without a book. |
| `insurance_fund_usd` | Insurance fund of the venue; 0 without one. |
| `oi_base` | Open interest in base units. |

## What a score reads

`faultline score-truth` reads a folder that `faultline replay` wrote. `columns.parquet` gives the maps: synthetic
columns of the shortest timeframe that end when a true standing map was taken. `mix.parquet` gives the recovered
leverage mix, one row per time, instrument and leverage; without it the fixed prior (log-normal around 50x) is
scored, and the answer says so in `mix_source`.

| column of `mix.parquet` | meaning |
| --- | --- |
| `t_ns` | When the mix was served. |
| `instrument` | Instrument. |
| `leverage` | Leverage. |
| `share_ratio` | Share of opens. |
| `low_ratio` | Lower end of the 95 % interval; NaN none. |
| `high_ratio` | Upper end; NaN none. |
| `is_identified` | Whether the observations determine the share. |
| `low80_ratio`, `high80_ratio` | Ends of the 80 % band; NaN none. |
| `low50_ratio`, `high50_ratio` | Ends of the 50 % band; NaN none. |
| `iota_ratio` | Part of the share that comes from the data; where given, above one half is identified. |

A mix is compared with all opens, or, where the leverage of the world changes, with those of the day before it.

Two more files are read where they are there. `odds.parquet` holds the odds of reaching a distance, compared with those
of the truth at the same time, instrument, side and distance:

| column of `odds.parquet` | meaning |
| --- | --- |
| `t_ns` | When it was said. |
| `instrument` | Instrument. |
| `side` | +1 the mark falls, -1 it rises. |
| `distance_bps` | Distance from the mark, bp of log price. |
| `hit_prob` | Probability of reaching it within the horizon of the truth. |
| `unforced_hit_prob` | The same without what liquidations add. |

`causes.parquet` holds for published liquidations the probability that forced orders caused them, compared with
`caused`:

| column of `causes.parquet` | meaning |
| --- | --- |
| `ts_event_ns` | Time of the liquidation, as published. |
| `instrument` | Instrument. |
| `side` | Side of the position. |
| `caused_prob` | Probability that it would not have happened within 30 minutes without forced impact. |
"""
