/** One byte per cell: 0 is nothing, 1..255 is a logarithmic scale of USD from `minUsd` to `maxUsd`. */

export interface CodeRange {
  readonly minUsd: number;
  readonly maxUsd: number;
}

const STEPS = 254;

/** USD of a code; 0 for code 0 and for a range that holds nothing. */
export function codeToUsd(code: number, range: CodeRange): number {
  if (code === 0 || !(range.minUsd > 0)) return 0;
  return range.minUsd * (range.maxUsd / range.minUsd) ** ((code - 1) / STEPS);
}

/** Nearest code of an amount; anything positive but below the range becomes 1, above it 255. */
export function usdToCode(usd: number, range: CodeRange): number {
  if (!(usd > 0) || !(range.minUsd > 0)) return 0;
  const span = Math.log(range.maxUsd / range.minUsd);
  if (span <= 0) return 1;
  const step = Math.round((Math.log(usd / range.minUsd) / span) * STEPS);
  return 1 + Math.min(STEPS, Math.max(0, step));
}

/** USD of all 256 codes. */
export function usdTable(range: CodeRange): Float64Array {
  return Float64Array.from({ length: 256 }, (_, code) => codeToUsd(code, range));
}

/** The smallest range that holds both; a range with a zero end holds nothing and is ignored. */
export function unionRange(a: CodeRange, b: CodeRange): CodeRange {
  if (!(a.minUsd > 0)) return b;
  if (!(b.minUsd > 0)) return a;
  return { minUsd: Math.min(a.minUsd, b.minUsd), maxUsd: Math.max(a.maxUsd, b.maxUsd) };
}

/**
 * Code of `a + b` in `out` for every pair of codes: `table[a * 256 + b]`.
 * When both ranges equal `out`, a pair with a zero keeps the other code unchanged.
 */
export function sumTable(a: CodeRange, b: CodeRange, out: CodeRange): Uint8Array {
  const usdA = usdTable(a);
  const usdB = usdTable(b);
  const table = new Uint8Array(65536);
  for (let i = 0; i < 256; i++)
    for (let j = 0; j < 256; j++) table[i * 256 + j] = usdToCode(usdA[i] + usdB[j], out);
  return table;
}
