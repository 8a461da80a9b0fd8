// A seeded, made-up market for developing the dashboard: prices, positions, liquidations. SIMULATED, never shipped.

export const TF_MINUTES = { "1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440 };
export const ASSETS = {
  BTC: {
    price: 96_400,
    row: Number(process.env.MOCK_ROW_USD ?? 50),
    scale: 1,
    scopes: ["BTC", "binance:BTCUSDT", "bybit:BTCUSDT", "okx:BTC-USDT-SWAP"],
  },
  ETH: { price: 3_480, row: 2, scale: 0.5, scopes: ["ETH", "binance:ETHUSDT", "bybit:ETHUSDT"] },
  SOL: { price: 187, row: 0.1, scale: 0.2, scopes: ["SOL", "binance:SOLUSDT"] },
};
/** Bars before the live part; more of them for measuring how fast a large map is drawn. */
export const START_BARS = Number(process.env.MOCK_BARS ?? 700);
const TOTAL_BARS = START_BARS + 300;
const END_OF_HISTORY_MS = Date.UTC(2026, 1, 5, 14, 0);
/** Ticks that a bar takes to form; a test that needs a long bar sets more. */
export const pace = { ticksPerBar: 8 };

export function random(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4294967296;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

const seedOf = (text) =>
  [...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619), 2166136261);

function path(asset, minutes, rng) {
  const sigma = 0.00075 * Math.sqrt(minutes);
  const bars = [];
  let log = 0;
  let drift = 0;
  let burst = 1;
  for (let i = 0; i < TOTAL_BARS; i++) {
    drift = 0.97 * drift + 0.08 * sigma * rng.normal();
    burst = rng.uniform() < 0.006 ? 5 : Math.max(1, burst * 0.8);
    const open = log;
    let [high, low] = [open, open];
    for (let k = 0; k < 6; k++) {
      log += (drift - log * 0.004) / 6 + (sigma * burst * rng.normal()) / 2.5;
      high = Math.max(high, log);
      low = Math.min(low, log);
    }
    bars.push({ open, high, low, close: log, burst });
  }
  const shift = bars[START_BARS - 1].close;
  return bars.map((bar) => ({
    open: asset.price * Math.exp(bar.open - shift),
    high: asset.price * Math.exp(bar.high - shift),
    low: asset.price * Math.exp(bar.low - shift),
    close: asset.price * Math.exp(bar.close - shift),
    burst: bar.burst,
  }));
}

const LEVERAGES = [
  [5, 0.16],
  [10, 0.3],
  [20, 0.22],
  [25, 0.18],
  [50, 0.1],
  [100, 0.04],
];

/** Planes of one scope and timeframe as USD, columns outermost: `values[t * rows + p]`. */
function build(scope, tf) {
  const assetName = Object.keys(ASSETS).find((name) => ASSETS[name].scopes.includes(scope));
  const asset = ASSETS[assetName];
  const minutes = TF_MINUTES[tf];
  const bars = path(asset, minutes, random(seedOf(`${assetName}${tf}`)));
  const rng = random(seedOf(`${scope}${tf}`));
  const share = scope === assetName ? 1 : 0.45;
  const low = Math.min(...bars.map((bar) => bar.low)) * 0.84;
  const high = Math.max(...bars.map((bar) => bar.high)) * 1.16;
  const firstRow = Math.floor(low / asset.row);
  const rows = Math.ceil(high / asset.row) - firstRow;
  const size = TOTAL_BARS * rows;
  const planes = Object.fromEntries(
    ["real", "synthetic", "smooth"].map((plane) => [
      plane,
      { long: new Float32Array(size), short: new Float32Array(size) },
    ]),
  );
  const now = { long: new Float64Array(rows), short: new Float64Array(rows) };
  const flows = {
    long: new Float64Array(TOTAL_BARS),
    short: new Float64Array(TOTAL_BARS),
    volume: new Float64Array(TOTAL_BARS),
  };
  const rowOf = (price) => Math.floor(price / asset.row) - firstRow;
  const deposit = (side, price, usd) => {
    const centre = rowOf(price);
    const width = 1 + Math.floor(rng.uniform() * 3);
    for (let k = -width; k <= width; k++)
      if (centre + k >= 0 && centre + k < rows)
        now[side][centre + k] += (usd * (1 - Math.abs(k) / (width + 1))) / (width + 1);
  };
  bars.forEach((bar, t) => {
    for (const side of ["long", "short"]) {
      const mass = now[side];
      const [from, to] = [Math.max(0, rowOf(bar.low)), Math.min(rows - 1, rowOf(bar.high))];
      for (let p = from; p <= to; p++) {
        const hit = mass[p] > 2e4 && rng.uniform() < 0.5 ? mass[p] * (0.1 + 0.5 * rng.uniform()) : 0;
        planes.real[side][t * rows + p] = hit;
        flows[side][t] += hit;
        mass[p] = 0;
      }
      for (let p = 0; p < rows; p++) mass[p] *= 0.9975;
      const interest = asset.scale * share * 5e6 * Math.exp(1.1 * rng.normal()) * bar.burst;
      const stacks = rng.uniform() < 0.05 ? 3.5 : 1;
      for (const [leverage, weight] of LEVERAGES) {
        const distance = (0.93 + 0.1 * rng.uniform()) / leverage;
        const price = bar.close * (side === "long" ? 1 - distance : 1 + distance);
        if (rng.uniform() < 0.6) deposit(side, price, interest * stacks * weight);
      }
      planes.synthetic[side].set(mass, t * rows);
      planes.smooth[side].set(blur(mass), t * rows);
    }
    flows.volume[t] = asset.scale * minutes * 4e6 * bar.burst * Math.exp(0.4 * rng.normal());
  });
  const dtMs = minutes * 60_000;
  const t0Ms = Math.floor(END_OF_HISTORY_MS / dtMs) * dtMs - (START_BARS - 1) * dtMs;
  return {
    scope,
    tf,
    asset: assetName,
    row: asset.row,
    firstRow,
    rows,
    dtMs,
    t0Ms,
    bars,
    planes: encode(planes, size),
    flows,
  };
}

function blur(mass) {
  const out = new Float64Array(mass.length);
  const weights = [0.06, 0.12, 0.2, 0.24, 0.2, 0.12, 0.06];
  for (let p = 0; p < mass.length; p++)
    for (let k = 0; k < 7; k++) out[p] += weights[k] * (mass[p + k - 3] ?? 0);
  return out;
}

function encode(planes, size) {
  const coded = {};
  for (const [name, sides] of Object.entries(planes)) {
    let maxUsd = 0;
    for (const values of Object.values(sides))
      for (let i = 0; i < size; i++) maxUsd = Math.max(maxUsd, values[i]);
    const minUsd = maxUsd / 10 ** 3.5;
    const span = Math.log(maxUsd / minUsd);
    const code = (usd) =>
      usd < minUsd / 2 ? 0 : 1 + Math.round((Math.max(0, Math.log(usd / minUsd)) / span) * 254);
    coded[name] = { minUsd, maxUsd };
    for (const [side, values] of Object.entries(sides)) coded[name][side] = Uint8Array.from(values, code);
  }
  return coded;
}

const built = new Map();

export function market(scope, tf) {
  const key = `${scope}|${tf}`;
  if (!built.has(key)) built.set(key, build(scope, tf));
  return built.get(key);
}

export const codeUsd = (code, { minUsd, maxUsd }) =>
  code === 0 ? 0 : minUsd * (maxUsd / minUsd) ** ((code - 1) / 254);

/** Content of a forming column after tick `k`: a growing share of its rows has its final value. */
export function columnAt(map, plane, side, column, k) {
  const { rows } = map;
  const final = map.planes[plane][side].subarray(column * rows, (column + 1) * rows);
  if (k >= pace.ticksPerBar - 1) return final;
  const before =
    plane === "real"
      ? new Uint8Array(rows)
      : map.planes[plane][side].subarray((column - 1) * rows, column * rows);
  return Uint8Array.from(final, (code, row) =>
    (Math.imul(row + 7, 2654435761) >>> 29) * (pace.ticksPerBar / 8) <= k ? code : before[row],
  );
}

/** The forming bar after tick `k`. */
export function barAt(map, column, k) {
  const bar = map.bars[column];
  const done = Math.min(1, (k + 1) / pace.ticksPerBar);
  const part = (name) => bar.open + (bar[name] - bar.open) * done;
  return {
    open: bar.open,
    high: part("high"),
    low: part("low"),
    close: part("close"),
    long: map.flows.long[column] * done,
    short: map.flows.short[column] * done,
    volume: map.flows.volume[column] * done,
  };
}
