/** What the tests use of the made-up market. */
interface CodedPlane {
  readonly minUsd: number;
  readonly maxUsd: number;
  readonly long: Uint8Array;
  readonly short: Uint8Array;
}

export function market(
  scope: string,
  tf: string,
): { readonly rows: number; readonly planes: Readonly<Record<"real" | "synthetic" | "smooth", CodedPlane>> };
