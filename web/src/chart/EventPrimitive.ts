/** What happened, as marks over the candles: many of them, drawn in one pass, the weightiest first. */
import type { PrimitiveHoveredItem } from "lightweight-charts";
import { DrawnPrimitive, type Frame } from "./ChartPrimitive";

export const EVENT_KINDS = ["hit", "swept", "large"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventMark {
  readonly id: string;
  readonly kind: EventKind;
  readonly side: "long" | "short";
  /** Bar index, a fraction places it inside the bar. */
  readonly bar: number;
  readonly priceUsd: number;
  readonly usd: number;
}

export type Density = "many" | "few" | "off";

/** Two marks closer than this are one mark: the weightier. */
const SPACING_PX: Readonly<Record<Density, number>> = { many: 7, few: 34, off: 0 };
const MOST: Readonly<Record<Density, number>> = { many: 1500, few: 60, off: 0 };
const HIT_PX = 9;
const HIT_PREFIX = "event:";

/** What breaks a tie of room: a hit asks for action, a sweep tells what is gone. */
const RANK: Readonly<Record<EventKind, number>> = { hit: 2, swept: 1, large: 0 };

export function weightiestFirst(marks: readonly EventMark[]): EventMark[] {
  return [...marks].sort((a, b) => b.usd - a.usd || RANK[b.kind] - RANK[a.kind] || (a.id < b.id ? -1 : 1));
}

/** The marks that find room, given where each lies; `null` lies outside. The order of `marks` decides who yields. */
export function thin<T>(
  marks: readonly T[],
  place: (mark: T) => readonly [x: number, y: number] | null,
  spacing: number,
  most: number,
): { readonly mark: T; readonly x: number; readonly y: number }[] {
  const taken = new Set<string>();
  const kept: { mark: T; x: number; y: number }[] = [];
  for (const mark of marks) {
    if (kept.length >= most) break;
    const at = place(mark);
    if (!at) continue;
    const [column, row] = [Math.floor(at[0] / spacing), Math.floor(at[1] / spacing)];
    const key = `${column}|${row}`;
    if (taken.has(key)) continue;
    taken.add(key);
    kept.push({ mark, x: at[0], y: at[1] });
  }
  return kept;
}

export class EventPrimitive extends DrawnPrimitive {
  protected readonly layer = "top";
  private marks: readonly EventMark[] = [];
  private density: Density = "few";
  private drawn: { readonly id: string; readonly x: number; readonly y: number }[] = [];
  inks = { long: "#f80", short: "#08f", rim: "#fff", halo: "#000" };

  setMarks(marks: readonly EventMark[], density: Density): void {
    this.marks = weightiestFirst(marks);
    this.density = density;
    this.redraw();
  }

  hitTest(x: number, y: number): PrimitiveHoveredItem | null {
    let [best, near] = [null as string | null, HIT_PX];
    for (const mark of this.drawn) {
      const far = Math.hypot(mark.x - x, mark.y - y);
      if (far <= near) [best, near] = [mark.id, far];
    }
    return best === null
      ? null
      : {
          externalId: HIT_PREFIX + best,
          zOrder: "top",
          cursorStyle: "pointer",
          hitTestPriority: 2,
          distance: near,
        };
  }

  protected draw({ ctx, ratio, widthPx, heightPx, xOf, yOf }: Frame): void {
    this.drawn = [];
    if (this.density === "off") return;
    const place = (mark: EventMark) => {
      const [x, y] = [xOf(mark.bar), yOf(mark.priceUsd)];
      return y === null || x < 0 || x > widthPx || y < 0 || y > heightPx ? null : ([x, y] as const);
    };
    const kept = thin(this.marks, place, SPACING_PX[this.density] * ratio, MOST[this.density]);
    const largest = kept.reduce((most, { mark }) => Math.max(most, mark.usd), 1);
    // The weightiest is drawn last and lies on top.
    for (const { mark, x, y } of kept.reverse()) {
      const size = (3.5 + 3.5 * Math.sqrt(Math.max(0, mark.usd) / largest)) * ratio;
      this.shape(ctx, mark, x, y, size);
      ctx.lineWidth = 3 * ratio;
      ctx.strokeStyle = this.inks.halo;
      ctx.stroke();
      ctx.lineWidth = 1.25 * ratio;
      ctx.strokeStyle = mark.kind === "hit" ? this.inks[mark.side] : this.inks.rim;
      ctx.stroke();
      if (mark.kind !== "hit") {
        ctx.fillStyle = this.inks[mark.side];
        ctx.fill();
      }
      this.drawn.push({ id: mark.id, x: x / ratio, y: y / ratio });
    }
  }

  /** A large liquidation is a disc; zones are triangles that point where price went. */
  private shape(ctx: CanvasRenderingContext2D, mark: EventMark, x: number, y: number, size: number): void {
    ctx.beginPath();
    if (mark.kind === "large") {
      ctx.arc(x, y, size, 0, 2 * Math.PI);
      return;
    }
    const down = mark.side === "long" ? 1 : -1;
    ctx.moveTo(x, y + size * down);
    ctx.lineTo(x - size, y - size * 0.8 * down);
    ctx.lineTo(x + size, y - size * 0.8 * down);
    ctx.closePath();
  }
}
