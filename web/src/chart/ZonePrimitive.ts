/** Zones on the price axis: brackets at the right edge, and where a zone ended, a bracket at the candle that ended it. */
import type { PrimitiveHoveredItem } from "lightweight-charts";
import { DrawnPrimitive, type Frame } from "./ChartPrimitive";

export interface ZoneMark {
  readonly id: string;
  readonly side: "long" | "short";
  readonly lowUsd: number;
  readonly highUsd: number;
  readonly bornBar: number;
  /** Bar that ended it; `null` while it stands. */
  readonly endBar: number | null;
  readonly swept: boolean;
  readonly label: string;
  /** Larger ones get their label first. */
  readonly weight: number;
  readonly focused: boolean;
  /** Bar of the ring of the focus: the label keeps clear of it. */
  readonly ringBar: number | null;
  /** Price is near it or inside. */
  readonly near: boolean;
}

export interface ZoneInks {
  long: string;
  short: string;
  halo: string;
  paper: string;
}

interface Hit {
  readonly id: string;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

const BRACKET_PX = 6;
const EDGE_GAP_PX = 3;
const LABEL_PX = 10;
const RING_PX = 15;
const MOST_LABELS = 14;
const HIT_PREFIX = "zone:";

export class ZonePrimitive extends DrawnPrimitive {
  protected readonly layer = "top";
  private zones: readonly ZoneMark[] = [];
  private hits: Hit[] = [];
  private anchorBar: number | null = null;
  inks: ZoneInks = { long: "#f80", short: "#08f", halo: "#000", paper: "#000" };
  fontFamily = "sans-serif";

  /** `anchorBar`: the bar at whose end these zones stood; `null`: now, so they lie at the right edge. */
  setZones(zones: readonly ZoneMark[], anchorBar: number | null = null): void {
    this.anchorBar = anchorBar;
    this.zones = [...zones].sort((a, b) => Number(b.focused) - Number(a.focused) || b.weight - a.weight);
    this.redraw();
  }

  hitTest(x: number, y: number): PrimitiveHoveredItem | null {
    const found = this.hits.find((hit) => x >= hit.left && x <= hit.right && y >= hit.top && y <= hit.bottom);
    return found
      ? { externalId: HIT_PREFIX + found.id, zOrder: "top", cursorStyle: "pointer", hitTestPriority: 0 }
      : null;
  }

  protected draw(frame: Frame): void {
    this.hits = [];
    const taken: [number, number][] = [];
    for (const zone of this.zones) {
      const [top, bottom] = [frame.yOf(zone.highUsd), frame.yOf(zone.lowUsd)];
      if (top === null || bottom === null || bottom < 0 || top > frame.heightPx) continue;
      const low = Math.max(bottom, top + 3 * frame.ratio);
      if (zone.endBar !== null) this.drawEnded(frame, zone, top, low, zone.endBar);
      else this.drawStanding(frame, zone, top, low, taken);
    }
  }

  private drawStanding(frame: Frame, zone: ZoneMark, top: number, low: number, taken: [number, number][]) {
    const { ctx, ratio, widthPx } = frame;
    const edge = widthPx - EDGE_GAP_PX * ratio;
    const right = this.anchorBar === null ? edge : Math.min(edge, frame.xOf(this.anchorBar + 0.5));
    if (zone.focused) this.edges(frame, frame.xOf(zone.bornBar - 0.5), right, top, low, zone);
    this.bracket(frame, right, top, low, zone);
    const middle = (top + low) / 2;
    const half = ((LABEL_PX + 3) / 2) * ratio;
    const free = taken.every(([from, to]) => middle + half < from || middle - half > to);
    const beside = right - (BRACKET_PX + 2) * ratio;
    const ring = zone.ringBar === null ? right : frame.xOf(zone.ringBar) - RING_PX * ratio;
    let left = Math.min(beside, ring);
    if ((free && taken.length < MOST_LABELS) || zone.focused) {
      taken.push([middle - half, middle + half]);
      left = this.label(ctx, ratio, left, middle, zone);
    }
    const reach = Math.max(low - top, 10 * ratio) / 2;
    this.hits.push({
      id: zone.id,
      top: (middle - reach) / ratio,
      bottom: (middle + reach) / ratio,
      left: left / ratio - 2,
      right: right / ratio + 6,
    });
  }

  /** The stretch in which the zone stood, closed by a bracket where it ended; a cross where price swept it. */
  private drawEnded(frame: Frame, zone: ZoneMark, top: number, low: number, endBar: number): void {
    const { ctx, ratio } = frame;
    const x = frame.xOf(endBar + 0.5);
    if (x < 0) return;
    const from = zone.focused
      ? frame.xOf(zone.bornBar - 0.5)
      : Math.max(frame.xOf(zone.bornBar - 0.5), x - 26 * ratio);
    this.edges(frame, from, x, top, low, zone);
    this.bracket(frame, x, top, low, zone);
    if (zone.swept) {
      const [cx, cy, r] = [x + 6 * ratio, (top + low) / 2, 3 * ratio];
      this.stroked(ctx, ratio, this.inks[zone.side], () => {
        ctx.moveTo(cx - r, cy - r);
        ctx.lineTo(cx + r, cy + r);
        ctx.moveTo(cx + r, cy - r);
        ctx.lineTo(cx - r, cy + r);
      });
    }
    const reach = Math.max(low - top, 10 * ratio) / 2;
    const middle = (top + low) / 2;
    this.hits.push({
      id: zone.id,
      top: (middle - reach) / ratio,
      bottom: (middle + reach) / ratio,
      left: x / ratio - 10,
      right: x / ratio + 12,
    });
  }

  private bracket({ ctx, ratio }: Frame, x: number, top: number, low: number, zone: ZoneMark): void {
    const reach = BRACKET_PX * ratio;
    const width = zone.focused || zone.near ? 2 : 1.25;
    this.stroked(
      ctx,
      ratio,
      this.inks[zone.side],
      () => {
        ctx.moveTo(x - reach, top);
        ctx.lineTo(x, top);
        ctx.lineTo(x, low);
        ctx.lineTo(x - reach, low);
      },
      width,
    );
  }

  private edges({ ctx, ratio }: Frame, from: number, to: number, top: number, low: number, zone: ZoneMark) {
    ctx.save();
    ctx.strokeStyle = this.inks[zone.side];
    ctx.globalAlpha = zone.focused ? 1 : 0.75;
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    for (const y of [top, low]) {
      ctx.moveTo(from, Math.round(y) + 0.5);
      ctx.lineTo(to, Math.round(y) + 0.5);
    }
    ctx.stroke();
    ctx.restore();
  }

  /** Returns the left end of the label. */
  private label(
    ctx: CanvasRenderingContext2D,
    ratio: number,
    right: number,
    y: number,
    zone: ZoneMark,
  ): number {
    ctx.font = `600 ${LABEL_PX * ratio}px ${this.fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    const width = ctx.measureText(zone.label).width;
    const [pad, height] = [3 * ratio, (LABEL_PX + 3) * ratio];
    ctx.fillStyle = this.inks.paper;
    ctx.globalAlpha = 0.82;
    ctx.fillRect(right - width - 2 * pad, y - height / 2, width + 2 * pad, height);
    ctx.globalAlpha = 1;
    ctx.fillStyle = this.inks[zone.side];
    ctx.fillText(zone.label, right - pad, y + 0.5 * ratio);
    return right - width - 2 * pad;
  }

  /** A line with a rim of the background's colour, so that it reads over every palette. */
  private stroked(
    ctx: CanvasRenderingContext2D,
    ratio: number,
    ink: string,
    path: () => void,
    width = 1.5,
  ): void {
    for (const [style, extra] of [
      [this.inks.halo, 2],
      [ink, 0],
    ] as const) {
      ctx.strokeStyle = style;
      ctx.lineWidth = (width + extra) * ratio;
      ctx.beginPath();
      path();
      ctx.stroke();
    }
  }
}
