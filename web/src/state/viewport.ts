/** What the window allows: the phone layout, a finger instead of a mouse. */
import { type ReadonlySignal, signal } from "@preact/signals";

function follow(query: string): ReadonlySignal<boolean> {
  const media = matchMedia(query);
  const held = signal(media.matches);
  media.addEventListener("change", (event) => {
    held.value = event.matches;
  });
  return held;
}

/** One column: the same width as in the style sheets. */
export const isNarrow = follow("(max-width: 900px)");
/** A phone upright. */
export const isPhone = follow("(max-width: 700px)");
/** No pointer that hovers: nothing may depend on pointing at it. */
export const isTouch = follow("(hover: none)");
