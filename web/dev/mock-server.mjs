// Development server: the whole REST and WebSocket surface over a made-up market. Everything it says is SIMULATED.
// It is never part of the build. A cookie `mock=empty|stale|error|loading|noscores|broken|replay` picks a scenario.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { WebSocketServer } from "ws";
import * as answers from "./answers.mjs";
import { encodeFrame, encodeSnapshot } from "./lhm1.mjs";
import { ASSETS, barAt, columnAt, market, START_BARS, TF_MINUTES, TICKS_PER_BAR } from "./market.mjs";

const PORT = Number(process.env.MOCK_PORT ?? 8732);
const TICK_MS = Number(process.env.MOCK_TICK_MS ?? 500);
const STATIC = fileURLToPath(new URL("../../src/faultline/api/static/", import.meta.url));
const CSP =
  "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'";
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
};
const PLANES = ["real", "synthetic", "smooth"];
const LAST_BAR = START_BARS + 280;

const clock = {
  column: START_BARS - 1,
  k: 0,
  seq: 1,
  speed: 60,
  paused: false,
  at: () => ({ column: clock.column, k: clock.k }),
  asOfMs() {
    const map = market("BTC", "5m");
    return Math.round(map.t0Ms + (clock.column + (clock.k + 1) / TICKS_PER_BAR) * map.dtMs);
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

const scenarioOf = (request) => /(?:^|;\s*)mock=([a-z]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "data";
const known = (scope, tf) =>
  tf in TF_MINUTES && Object.values(ASSETS).some(({ scopes }) => scopes.includes(scope));

function send(request, response, code, type, body, headers = {}) {
  const gzip = /gzip/.test(request.headers["accept-encoding"] ?? "") && body.length > 1400;
  response.writeHead(code, {
    "content-type": type,
    "cache-control": "no-cache",
    vary: "Accept-Encoding",
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    ...headers,
  });
  response.end(gzip ? gzipSync(body, { level: 1 }) : body);
}

const json = (request, response, scenario, body) =>
  send(
    request,
    response,
    200,
    "application/json",
    JSON.stringify({ ...answers.envelope(clock, scenario), ...body }),
  );

const problem = (request, response, status, code, title, hint) =>
  send(
    request,
    response,
    status,
    "application/problem+json",
    JSON.stringify({
      type: `/problems/${code}`,
      title,
      status,
      detail: title,
      code,
      where: request.url,
      hint,
    }),
  );

function heat(request, response, scenario, scope, tf, plane, side) {
  if (scenario === "broken")
    return problem(
      request,
      response,
      503,
      "map_unavailable",
      "This map is being rebuilt and cannot be read.",
      "Try again in a minute.",
    );
  const etag = `"${clock.seq}-${scenario}-gzip"`;
  if (request.headers["if-none-match"] === etag)
    return response.writeHead(304, { etag, vary: "Accept-Encoding" }).end();
  const map = market(scope, tf);
  const columns = scenario === "empty" ? 0 : clock.column + 1;
  const coded = map.planes[plane];
  const codes = new Uint8Array(columns * map.rows);
  if (columns > 0) {
    codes.set(coded[side].subarray(0, codes.length));
    codes.set(columnAt(map, plane, side, clock.column, clock.k), clock.column * map.rows);
  }
  const header = {
    plane,
    side,
    columns,
    rows: map.rows,
    t0Ms: map.t0Ms,
    dtMs: map.dtMs,
    seq: clock.seq,
    price0Usd: map.firstRow * map.row,
    rowUsd: map.row,
    minUsd: coded.minUsd,
    maxUsd: coded.maxUsd,
    firstLiveCol: Math.max(0, columns - 1),
  };
  send(request, response, 200, "application/octet-stream", encodeSnapshot(header, codes), { etag });
}

async function replay(request, response) {
  let text = "";
  for await (const chunk of request) text += chunk;
  const command = JSON.parse(text);
  if (typeof command.speed === "number") clock.speed = command.speed;
  if (typeof command.pause === "boolean") clock.paused = command.pause;
  const atMs = command.at_ms ?? (command.at_ns ? command.at_ns / 1e6 : null);
  if (atMs !== null) {
    const { t0Ms, dtMs } = market("BTC", "5m");
    jump(Math.round((atMs - t0Ms) / dtMs));
  }
  json(request, response, "replay", { replay: clock.replay() });
}

function jump(column) {
  clock.column = Math.max(400, Math.min(LAST_BAR, column));
  clock.k = 0;
  clock.seq += 1;
  recent.length = 0;
  for (const follower of followers)
    for (const sub of follower.subs) follower.socket.send(JSON.stringify({ type: "resync", sub: sub.sub }));
}

function api(request, response, url) {
  const scenario = scenarioOf(request);
  const [, , route, scope, tf, leaf] = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const needsMap = ["heat", "candles", "cell", "legend"].includes(route);
  if (needsMap && !known(scope, tf))
    return problem(
      request,
      response,
      404,
      "unknown_scope",
      `There is no map for ${scope} at ${tf}.`,
      "GET /api/v1/assets lists what exists.",
    );
  if (route === "status") return json(request, response, scenario, answers.status(clock, scenario));
  if (route === "assets") return json(request, response, scenario, { assets: answers.assets() });
  if (route === "scores") return json(request, response, scenario, answers.scores(scenario));
  if (route === "legend") return json(request, response, scenario, answers.legend(market(scope, tf)));
  if (route === "candles")
    return json(request, response, scenario, answers.candles(market(scope, tf), clock, scenario === "empty"));
  if (route === "profile")
    return json(request, response, scenario, answers.profile(market(scope, "5m"), clock));
  if (route === "replay" && request.method === "POST") return replay(request, response);
  if (route === "heat")
    return heat(
      request,
      response,
      scenario,
      scope,
      tf,
      leaf.replace(".bin", ""),
      url.searchParams.get("side") ?? "long",
    );
  if (route === "cell") {
    const answer = answers.cell(
      market(scope, tf),
      clock,
      Number(url.searchParams.get("t_ms")),
      Number(url.searchParams.get("price")),
    );
    return answer
      ? json(request, response, scenario, answer)
      : problem(request, response, 404, "outside_map", "That cell lies outside the map.", null);
  }
  return problem(request, response, 404, "not_found", `No such route: ${url.pathname}`, null);
}

function page(request, response, url) {
  const wanted = normalize(url.pathname).replace(/^[/\\]+/, "");
  const file = join(STATIC, wanted);
  const isFile = wanted !== "" && file.startsWith(STATIC) && existsSync(file) && statSync(file).isFile();
  const path = isFile ? file : join(STATIC, "index.html");
  if (!existsSync(path))
    return send(
      request,
      response,
      503,
      "text/plain",
      "The dashboard is not built: run `npm run build` in web/.\n",
    );
  response.writeHead(200, {
    "content-type": TYPES[extname(path)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "cache-control": isFile ? "max-age=31536000, immutable" : "no-cache",
  });
  createReadStream(path).pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/api/")) api(request, response, url);
  else page(request, response, url);
});

const followers = new Set();
/** Ticks of the recent past, so that a client can resume: what the real engine keeps as frames. */
const recent = [];

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
    closed: clock.k === TICKS_PER_BAR - 1,
  };
  const prices = { o: bar.open, h: bar.high, l: bar.low, c: bar.close };
  const flows = { volume_usd: bar.volume, long_usd: bar.long, short_usd: bar.short };
  socket.send(
    JSON.stringify({ type: "candle", scope: map.scope, tf: map.tf, ...times, ...prices, ...flows }),
  );
  socket.send(JSON.stringify({ type: "status", ...answers.status(clock, follower.scenario) }));
}

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
  });
  socket.on("close", () => followers.delete(follower));
});

setInterval(() => {
  if (clock.paused) return;
  clock.k += 1;
  clock.seq += 1;
  if (clock.k === TICKS_PER_BAR) {
    clock.k = 0;
    clock.column += 1;
    if (clock.column > LAST_BAR) return jump(START_BARS - 1);
  }
  recent.push({ seq: clock.seq, column: clock.column, k: clock.k });
  if (recent.length > 400) recent.shift();
  for (const follower of followers)
    if (follower.map && !["stale", "empty", "loading", "error"].includes(follower.scenario))
      sendTick(follower);
}, TICK_MS);
setInterval(() => {
  for (const { socket } of followers) socket.send(JSON.stringify({ type: "ping", t_ms: Date.now() }));
}, 15_000);

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
market("BTC", "5m");
server.listen(PORT, "127.0.0.1", () =>
  console.log(`SIMULATED development server: http://127.0.0.1:${PORT}/map  (planes: ${PLANES.join(", ")})`),
);
