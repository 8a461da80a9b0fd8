/** How far from price the measured skill reaches: an evaluation scores only prices that were traded within a refresh. */
import type { Bar } from "../../state/mapData";

const SHARE = 0.95;
/** Fewer moves than this say nothing about the usual one. */
const FEWEST = 30;
const NEWEST = 2000;

/**
 * The distance from price, as a ratio, that 95 of 100 moves within `horizonS` seconds stay inside; `null` when the
 * bars held are too few. Bars longer than the horizon are scaled by the square root of time.
 */
export function reachRatio(bars: readonly Bar[], dtMs: number, horizonS: number): number | null {
  if (!(horizonS > 0) || !(dtMs > 0)) return null;
  const ahead = Math.max(1, Math.round((horizonS * 1000) / dtMs));
  const shrink = Math.min(1, Math.sqrt((horizonS * 1000) / (ahead * dtMs)));
  const moves: number[] = [];
  for (let i = Math.max(0, bars.length - NEWEST); i + ahead < bars.length; i++) {
    const start = bars[i].close;
    let far = 0;
    for (let k = 1; start !== null && k <= ahead; k++) {
      const { low, high } = bars[i + k];
      if (low === null || high === null) {
        far = Number.NaN;
        break;
      }
      far = Math.max(far, high / start - 1, 1 - low / start);
    }
    if (start !== null && Number.isFinite(far)) moves.push(far);
  }
  if (moves.length < FEWEST) return null;
  moves.sort((a, b) => a - b);
  return moves[Math.min(moves.length - 1, Math.floor(SHARE * moves.length))] * shrink;
}
