// The chain of a made-up zone: levels beyond it, ever less likely. SIMULATED, development only.
const MINUTE_S = 60;
const LEVELS = 6;
const BOOK = {
  instruments: ["binance:BTCUSDT", "bybit:BTCUSDT", "okx:BTC-USDT-SWAP"],
  age_s: 4,
  depth_ratio: 0.72,
};

/** `null` of a small zone; no steps where the zone is the last one of its side. */
export function chainOf(zone, others, atMs) {
  const sign = zone.side === "LONG" ? -1 : 1;
  const ahead = others
    .filter((one) => one.side === zone.side && sign * (one.peak_usd - zone.peak_usd) > 0)
    .sort((a, b) => sign * (a.peak_usd - b.peak_usd))
    .slice(0, LEVELS);
  let [prob, delay] = [1, 0];
  const steps = ahead.map((level, i) => {
    const far = Math.abs(Math.log(level.peak_usd / zone.peak_usd));
    prob *= Math.exp(-24 * far) * 0.9 + 0.05;
    delay += (2 + 90 * far) * MINUTE_S;
    const seen = 74 * 0.42 ** i;
    const [odds, wide] = [prob / (1 - prob), Math.exp(0.5 * Math.sqrt(30 / Math.min(30, seen)) + 0.1)];
    return {
      depth: i + 1,
      price_usd: level.peak_usd,
      prob,
      low: odds / wide / (1 + odds / wide),
      high: (odds * wide) / (1 + odds * wide),
      expected_usd: 0.03 * level.notional_usd * prob,
      delay_s: delay,
      needed_usd: Math.max(4e10 * far * far, i < 2 ? 3e9 * far : 0),
      needed_from: i < 2 && 3e9 * far > 4e10 * far * far ? "book" : "law",
      book_usd: i < 2 ? 3e9 * far : null,
      n_at_risk: seen,
      greyed: seen < 30,
    };
  });
  return zone.share_ratio < 0.03 ? null : { at_ms: atMs, book: BOOK, funding_z: -sign * 1.7, steps };
}
