// The live stream of the development server: subscriptions, column frames, candles, jumps.
import { WebSocketServer } from "ws";
import * as answers from "./answers.mjs";
import { clock, known, LAST_BAR, scenarioOf } from "./clock.mjs";
import { encodeFrame } from "./lhm1.mjs";
import { barAt, columnAt, market, pace, START_BARS } from "./market.mjs";
import { followEvents } from "./signals.mjs";

const followers = new Set();
/** Ticks of the recent past, so that a client can resume: what the real engine keeps as frames. */
const recent = [];

export function jump(column) {
  clock.column = Math.max(400, Math.min(LAST_BAR, column));
  clock.k = 0;
  clock.seq += 1;
  recent.length = 0;
  for (const follower of followers)
    for (const sub of follower.subs) follower.socket.send(JSON.stringify({ type: "resync", sub: sub.sub }));
}

function follow(follower, wanted) {
  if (!known(wanted.scope, wanted.tf))
    return follower.socket.send(
      JSON.stringify({ type: "error", code: "unknown_scope", detail: "unknown map" }),
    );
  follower.map = market(wanted.scope, wanted.tf);
  follower.subs = wanted.planes
    .flatMap((plane) => ["long", "short"].map((side) => ({ plane, side })))
    .map((sub, index) => ({ ...sub, sub: index + 1 }));
  for (const sub of follower.subs) {
    const { plane, side } = sub;
    const about = { sub: sub.sub, scope: wanted.scope, tf: wanted.tf, plane, side };
    follower.socket.send(
      JSON.stringify({ type: "subscribed", ...about, seq: clock.seq, columns: clock.column + 1 }),
    );
    resume(follower, sub, wanted.after_seq?.[`${plane}/${side}`]);
  }
}

function frameOf(map, { plane, side, sub }, { seq, column, k }) {
  const now = columnAt(map, plane, side, column, k);
  const before =
    k === 0
      ? map.planes[plane][side].subarray((column - 1) * map.rows, column * map.rows)
      : columnAt(map, plane, side, column, k - 1);
  const changes = [];
  for (let row = 0; row < map.rows; row++) if (now[row] !== before[row]) changes.push([row, now[row]]);
  return encodeFrame({ plane, side, sub, seq, column }, changes);
}

/** Frames a client has missed since `after`; a jump in between cannot be resumed. */
function resume(follower, sub, after) {
  if (after === undefined || after >= clock.seq) return;
  const missed = recent.filter(({ seq }) => seq > after);
  if (missed.length !== clock.seq - after)
    follower.socket.send(JSON.stringify({ type: "resync", sub: sub.sub }));
  else for (const tick of missed) follower.socket.send(frameOf(follower.map, sub, tick));
}

function sendTick(follower) {
  const { map, socket } = follower;
  for (const sub of follower.subs) socket.send(frameOf(map, sub, clock));
  const bar = barAt(map, clock.column, clock.k);
  const times = {
    index: clock.column,
    t_ms: map.t0Ms + clock.column * map.dtMs,
    closed: clock.k === pace.ticksPerBar - 1,
  };
  const prices = { o: bar.open, h: bar.high, l: bar.low, c: bar.close };
  const flows = { volume_usd: bar.volume, long_usd: bar.long, short_usd: bar.short };
  socket.send(
    JSON.stringify({ type: "candle", scope: map.scope, tf: map.tf, ...times, ...prices, ...flows }),
  );
  socket.send(JSON.stringify({ type: "status", ...answers.status(clock, follower.scenario) }));
  if (clock.k === 0) socket.send(JSON.stringify({ type: "zones", scope: map.scope, version: clock.seq }));
}

export function serveStream(server, tickMs) {
  const sockets = new WebSocketServer({ server, path: "/api/v1/stream" });
  sockets.on("connection", (socket, request) => {
    const follower = { socket, scenario: scenarioOf(request), subs: [], map: null };
    followers.add(follower);
    socket.send(
      JSON.stringify({ type: "hello", protocol: 1, heartbeat_s: 15, backlog: "reconnect and refetch" }),
    );
    socket.on("message", (text) => {
      const message = JSON.parse(String(text));
      if (message.type === "subscribe") follow(follower, message);
      if (message.type === "subscribe_events") followEvents(socket, message, follower.scenario);
    });
    socket.on("close", () => followers.delete(follower));
  });

  setInterval(() => {
    if (clock.paused) return;
    clock.k += 1;
    clock.seq += 1;
    if (clock.k === pace.ticksPerBar) {
      clock.k = 0;
      clock.column += 1;
      if (clock.column > LAST_BAR) return jump(START_BARS - 1);
    }
    recent.push({ seq: clock.seq, column: clock.column, k: clock.k });
    if (recent.length > 400) recent.shift();
    for (const follower of followers)
      if (follower.map && !["stale", "empty", "loading", "error"].includes(follower.scenario))
        sendTick(follower);
  }, tickMs);
  setInterval(() => {
    for (const { socket } of followers) socket.send(JSON.stringify({ type: "ping", t_ms: Date.now() }));
  }, 15_000);
}
