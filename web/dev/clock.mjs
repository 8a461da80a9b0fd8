// Where the made-up market stands, and which maps it has.
import { ASSETS, market, pace, START_BARS, TF_MINUTES } from "./market.mjs";

export const LAST_BAR = START_BARS + 280;

export const clock = {
  column: START_BARS - 1,
  k: 0,
  seq: 1,
  speed: 60,
  paused: false,
  at: () => ({ column: clock.column, k: clock.k }),
  asOfMs() {
    const map = market("BTC", "5m");
    return Math.round(map.t0Ms + (clock.column + (clock.k + 1) / pace.ticksPerBar) * map.dtMs);
  },
  replay() {
    const { t0Ms, dtMs } = market("BTC", "5m");
    return {
      at_ns: clock.asOfMs() * 1e6,
      from_ns: (t0Ms + 400 * dtMs) * 1e6,
      to_ns: (t0Ms + LAST_BAR * dtMs) * 1e6,
      speed: clock.speed,
      paused: clock.paused,
    };
  },
};

/** The scenario a browser asked for with its cookie. */
export const scenarioOf = (request) =>
  /(?:^|;\s*)mock=([a-z]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "data";

export const known = (scope, tf) =>
  tf in TF_MINUTES && Object.values(ASSETS).some(({ scopes }) => scopes.includes(scope));
