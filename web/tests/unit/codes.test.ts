import { describe, expect, it } from "vitest";
import { codeToUsd, sumTable, unionRange, usdTable, usdToCode } from "../../src/heat/codes";
import { seeded } from "./encode";

const RANGE = { minUsd: 2500, maxUsd: 2500 * 10 ** 3.5 };

describe("one byte of USD", () => {
  it("is exact at both ends and zero for nothing", () => {
    expect(codeToUsd(0, RANGE)).toBe(0);
    expect(codeToUsd(1, RANGE)).toBe(RANGE.minUsd);
    expect(codeToUsd(255, RANGE)).toBeCloseTo(RANGE.maxUsd, 3);
  });

  it("errs by at most 1.7 % over three and a half decades", () => {
    const next = seeded(11);
    for (let i = 0; i < 5000; i++) {
      const usd = RANGE.minUsd * 10 ** (3.5 * next());
      const back = codeToUsd(usdToCode(usd, RANGE), RANGE);
      expect(Math.abs(back / usd - 1)).toBeLessThan(0.017);
    }
  });

  it("gives every code back", () => {
    usdTable(RANGE).forEach((usd, code) => {
      expect(usdToCode(usd, RANGE)).toBe(code);
    });
  });

  it("never turns something into nothing, nor nothing or nonsense into something", () => {
    expect(usdToCode(0.01, RANGE)).toBe(1);
    expect(usdToCode(1e15, RANGE)).toBe(255);
    for (const nothing of [0, -5, Number.NaN]) expect(usdToCode(nothing, RANGE)).toBe(0);
    expect(codeToUsd(77, { minUsd: 0, maxUsd: 0 })).toBe(0);
  });
});

describe("the sum of two sides", () => {
  it("is the nearest code of the sum, for every pair", () => {
    const other = { minUsd: 400, maxUsd: 400 * 10 ** 3.5 };
    const out = unionRange(RANGE, other);
    const table = sumTable(RANGE, other, out);
    for (const [a, b] of [
      [0, 0],
      [0, 9],
      [200, 0],
      [255, 255],
      [31, 222],
    ])
      expect(table[a * 256 + b]).toBe(usdToCode(codeToUsd(a, RANGE) + codeToUsd(b, other), out));
  });

  it("ignores the range of a side that holds nothing", () => {
    expect(unionRange({ minUsd: 0, maxUsd: 0 }, RANGE)).toBe(RANGE);
    expect(unionRange(RANGE, { minUsd: 0, maxUsd: 0 })).toBe(RANGE);
  });
});
