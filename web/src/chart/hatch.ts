/** Which parts of the forward estimate are hatched: everything later or farther from price than skill was measured. */

export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface SkilledBox {
  /** Where the measured horizon ends; at or left of `left` there is none. */
  readonly right: number;
  /** Prices within the measured distance; `null` where no distance is known. */
  readonly top: number | null;
  readonly bottom: number | null;
}

/** The forward area without the box in which skill was measured, as rectangles that do not overlap. */
export function hatchedAreas(forward: Rect, skilled: SkilledBox): Rect[] {
  const { left, right, top, bottom } = forward;
  const until = Math.min(right, Math.max(left, skilled.right));
  const boxTop = Math.min(bottom, Math.max(top, skilled.top ?? top));
  const boxBottom = Math.min(bottom, Math.max(boxTop, skilled.bottom ?? bottom));
  return [
    { left: until, top, right, bottom },
    { left, top, right: until, bottom: boxTop },
    { left, top: boxBottom, right: until, bottom },
  ].filter((area) => area.right > area.left && area.bottom > area.top);
}
