/** The live stream: subscribe, heartbeat, back-off reconnect. Knows nothing about what the messages mean. */
import { type ColumnFrame, decodeFrame } from "../heat/delta";
import { apiUrl } from "./http";
import type { StreamMessage } from "./types";

/** `idle`: nothing is followed. `closed`: lost, and being made again. */
export type LinkState = "idle" | "connecting" | "open" | "stale" | "closed";

export interface StreamEvents {
  message(message: StreamMessage): void;
  frame(frame: ColumnFrame): void;
  /** Something arrived that cannot be understood: the map must be fetched again. */
  garbled(reason: string): void;
  link(state: LinkState): void;
  /** A fresh connection after a lost one: frames in between are gone. */
  reconnected(): void;
}

export interface MapSubscription {
  readonly scope: string;
  readonly tf: string;
  readonly planes: readonly string[];
  /** `seq` held of each "plane/side": the engine sends what came after it, or asks for a fresh fetch. */
  readonly after_seq: Readonly<Record<string, number>>;
}

export interface EventSubscription {
  readonly type: "subscribe_events";
  /** The engine sends every event after this one exactly once; null asks for new ones only. */
  readonly after_seq: number | null;
  readonly types: readonly string[] | null;
  readonly assets: readonly string[] | null;
}

export type Subscription = MapSubscription | EventSubscription;

/** What the socket needs from the browser; tests pass their own. */
export interface StreamHost {
  open(url: string): WebSocket;
  setTimer(run: () => void, delayMs: number): number;
  clearTimer(timer: number): void;
  jitter(): number;
}

const browser: StreamHost = {
  open: (url) => new WebSocket(url),
  setTimer: (run, delayMs) => window.setTimeout(run, delayMs),
  clearTimer: (timer) => window.clearTimeout(timer),
  jitter: Math.random,
};

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const MISSED_BEATS = 2;

/** Delay before attempt `n` (0-based): doubles up to a bound, with up to 30 % jitter. */
export function backOffMs(attempt: number, jitter: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (1 + 0.3 * jitter);
}

/** `readyState` of a socket that is being opened. */
const CONNECTING = 0;

export class Stream {
  private socket: WebSocket | null = null;
  private wanted: (() => Subscription) | null = null;
  private attempt = 0;
  private everOpen = false;
  private heartbeatS = 15;
  private beatTimer = 0;
  private retryTimer = 0;
  private stopped = true;

  constructor(
    private readonly events: StreamEvents,
    private readonly host: StreamHost = browser,
  ) {}

  /** Follow this map from now on. A new connection leaves nothing behind of what was followed before. */
  subscribe(wanted: () => Subscription): void {
    this.drop();
    this.wanted = wanted;
    this.stopped = false;
    this.everOpen = false;
    this.attempt = 0;
    this.connect();
  }

  stop(): void {
    this.drop();
    this.stopped = true;
    this.events.link("idle");
  }

  private drop(): void {
    this.host.clearTimer(this.retryTimer);
    this.host.clearTimer(this.beatTimer);
    const { socket } = this;
    this.socket = null;
    // Closed while it is being opened, a browser reports it as an error of the page.
    if (socket?.readyState === CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  private connect(): void {
    this.events.link("connecting");
    const url = apiUrl("stream");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = this.host.open(url.href);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.attempt = 0;
      this.events.link("open");
      this.sendSubscription();
      this.beat();
      if (this.everOpen) this.events.reconnected();
      this.everOpen = true;
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.receive(event.data as string | ArrayBuffer);
    };
    socket.onclose = () => this.lost(socket);
  }

  private sendSubscription(): void {
    if (this.wanted) this.socket?.send(JSON.stringify({ type: "subscribe", ...this.wanted() }));
  }

  private receive(payload: string | ArrayBuffer): void {
    this.beat();
    try {
      if (typeof payload !== "string") this.events.frame(decodeFrame(payload));
      else this.receiveText(JSON.parse(payload) as StreamMessage);
    } catch (error) {
      this.events.garbled(error instanceof Error ? error.message : String(error));
    }
  }

  private receiveText(message: StreamMessage): void {
    if (message.type === "hello") this.heartbeatS = message.heartbeat_s;
    this.events.message(message);
  }

  /** Something arrived: the link is alive until two heartbeats pass in silence. */
  private beat(): void {
    this.host.clearTimer(this.beatTimer);
    this.events.link("open");
    this.beatTimer = this.host.setTimer(
      () => this.events.link("stale"),
      this.heartbeatS * MISSED_BEATS * 1000,
    );
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    this.host.clearTimer(this.beatTimer);
    this.events.link("closed");
    this.retryTimer = this.host.setTimer(() => this.connect(), backOffMs(this.attempt, this.host.jitter()));
    this.attempt += 1;
  }
}
