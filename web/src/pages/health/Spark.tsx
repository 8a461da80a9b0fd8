/** Rows per second of the last minute, as bars; the figure itself stands beside it. */
const [WIDTH, HEIGHT] = [90, 18];

export function Spark({ counts, label }: { readonly counts: readonly number[]; readonly label: string }) {
  // The last second is still growing.
  const whole = counts.slice(0, -1);
  const most = Math.max(1, ...whole);
  const step = WIDTH / Math.max(1, whole.length);
  const path = whole
    .map((n, i) => {
      const height = n > 0 ? Math.max(1, (n / most) * HEIGHT) : 0;
      return height ? `M${(i * step).toFixed(1)} ${HEIGHT}v-${height.toFixed(1)}` : "";
    })
    .join("");
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <path d={`M0 ${HEIGHT}h${WIDTH}`} class="spark-base" />
      {path && <path d={path} style={{ strokeWidth: Math.max(1, step - 0.5) }} />}
    </svg>
  );
}
