// Development server: the whole REST and WebSocket surface over a made-up market. Everything it says is SIMULATED.
// It is never part of the build. A cookie `mock=empty|stale|error|loading|noscores|noheat|broken|replay|live|silent` picks a scenario.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as answers from "./answers.mjs";
import { clock, known, scenarioOf } from "./clock.mjs";
import { encodeSnapshot } from "./lhm1.mjs";
import { columnAt, market, pace, START_BARS } from "./market.mjs";
import { answerModel } from "./model.mjs";
import { scores } from "./scores.mjs";
import { answerSignals, refill } from "./signals.mjs";
import { answerSources } from "./sources.mjs";
import { jump, serveStream } from "./stream.mjs";
import { answerZones } from "./zones.mjs";

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

function send(request, response, code, type, body, headers = {}) {
  const gzip = /gzip/.test(request.headers["accept-encoding"] ?? "") && body.length > 1400;
  response.writeHead(code, {
    "content-type": type,
    "cache-control": "no-cache",
    vary: "Accept-Encoding",
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    ...headers,
  });
  response.end(gzip ? packed(body) : body);
}

const zipped = new WeakMap();
/** Bytes that are sent again are not packed again, as an engine does it. */
function packed(body) {
  if (typeof body === "string") return gzipSync(body, { level: 1 });
  if (!zipped.has(body)) zipped.set(body, gzipSync(body, { level: 6 }));
  return zipped.get(body);
}

const json = (request, response, scenario, body) =>
  send(
    request,
    response,
    200,
    "application/json",
    JSON.stringify({ ...answers.envelope(clock, scenario), ...body }),
  );

const problem = (request, response, status, code, title, hint, where = request.url) =>
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
      where,
      hint,
    }),
  );

/** One column with the most of every row: the same price axis as the map, and nothing to draw. */
function highest(codes, rows) {
  const most = new Uint8Array(rows);
  for (let i = 0; i < codes.length; i++) most[i % rows] = Math.max(most[i % rows], codes[i]);
  return most;
}

/** The newest snapshot of every address, encoded once as an engine does. */
const snapshots = new Map();

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
  const kept = snapshots.get(request.url);
  if (kept?.etag === etag)
    return send(request, response, 200, "application/octet-stream", kept.body, { etag });
  const bare = scenario === "noheat";
  const columns = scenario === "empty" ? 0 : bare ? 1 : clock.column + 1;
  const coded = map.planes[plane];
  const codes = bare ? highest(coded[side], map.rows) : new Uint8Array(columns * map.rows);
  if (columns > 0 && !bare) {
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
  const body = encodeSnapshot(header, codes);
  snapshots.set(request.url, { etag, body });
  send(request, response, 200, "application/octet-stream", body, { etag });
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text || "{}");
}

/** Everything as it was when the server started: what one test did reaches no other; `paused` stops the market. */
async function restart(request, response) {
  const { column = START_BARS - 1, k = 0, paused = false, ticks = 8 } = await bodyOf(request);
  pace.ticksPerBar = ticks;
  jump(START_BARS - 1);
  refill();
  jump(column);
  Object.assign(clock, { k, paused, speed: 60 });
  json(request, response, "data", { seq: clock.seq });
}

async function replay(request, response) {
  const command = await bodyOf(request);
  if (typeof command.speed === "number") clock.speed = command.speed;
  if (typeof command.pause === "boolean") clock.paused = command.pause;
  const atMs = command.at_ms ?? (command.at_ns ? command.at_ns / 1e6 : null);
  if (atMs !== null) {
    const { t0Ms, dtMs } = market("BTC", "5m");
    jump(Math.round((atMs - t0Ms) / dtMs));
  }
  json(request, response, "replay", { replay: clock.replay() });
}

function api(request, response, url) {
  const scenario = scenarioOf(request);
  const [, , route, scope, tf, leaf] = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const reply = {
    json: (body) => json(request, response, scenario, body),
    problem: (...fault) => problem(request, response, ...fault),
  };
  if (answerSignals(request, url, scenario, reply)) return;
  if (route === "model") return answerModel(scope, clock, scenario, reply);
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
  if (route === "sources") return answerSources(url, clock, scenario, reply);
  if (route === "assets") return json(request, response, scenario, { assets: answers.assets(scenario) });
  if (route === "scores") return json(request, response, scenario, scores(scenario, url.searchParams));
  if (route === "legend") return json(request, response, scenario, answers.legend(market(scope, tf)));
  if (route === "candles")
    return json(request, response, scenario, answers.candles(market(scope, tf), clock, scenario === "empty"));
  if (route === "profile")
    return json(request, response, scenario, answers.profile(market(scope, "5m"), clock));
  if (route === "replay" && request.method === "POST") return replay(request, response);
  if (route === "dev-restart" && request.method === "POST") return restart(request, response);
  if (route === "zones") return answerZones(url, scope, clock, scenario, [request, response], json, problem);
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

serveStream(server, TICK_MS);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
market("BTC", "5m");
server.listen(PORT, "127.0.0.1", () =>
  console.log(`SIMULATED development server: http://127.0.0.1:${PORT}/map`),
);
