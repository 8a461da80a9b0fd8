/** L or S: whose positions; a letter and a shape, so that colour is never needed to tell them apart. */

export function SideMark({ side }: { side: "L" | "S" | null }) {
  if (side === null) return null;
  return (
    <abbr class={`side-mark is-${side === "L" ? "long" : "short"}`} title={side === "L" ? "longs" : "shorts"}>
      {side}
    </abbr>
  );
}
