import { describe, expect, it } from "vitest";
import { codeToUsd, usdToCode } from "../../src/heat/codes";
import { PALETTES, paletteSteps, type Rgb } from "../../src/heat/palettes";
import { buildLut, percentileUsd, scalePosition } from "../../src/heat/transfer";

const RANGE = { minUsd: 1000, maxUsd: 1000 * 10 ** 3.5 };
const SCALE = { loUsd: 10_000, hiUsd: 1_000_000 };

describe("the place of an amount on the scale", () => {
  it("runs from the lower end to the upper end and stays there", () => {
    for (const stretch of ["linear", "log"] as const) {
      expect(scalePosition(10_000, SCALE, stretch)).toBe(0);
      expect(scalePosition(1_000_000, SCALE, stretch)).toBe(1);
      expect(scalePosition(5e9, SCALE, stretch)).toBe(1);
    }
    expect(scalePosition(505_000, SCALE, "linear")).toBeCloseTo(0.5, 12);
    expect(scalePosition(100_000, SCALE, "log")).toBeCloseTo(0.5 ** 1.6, 12);
  });

  it("keeps even the smallest real event off the background", () => {
    expect(scalePosition(10_000, SCALE, "events")).toBeCloseTo(0.3, 12);
  });

  it("hides what lies under the lower end, and nothing", () => {
    for (const usd of [9_999, 0, -1, Number.NaN]) expect(scalePosition(usd, SCALE, "linear")).toBe(-1);
  });
});

describe("the colour table", () => {
  const lut = buildLut(RANGE, SCALE, paletteSteps("viridis"), "linear");

  it("draws nothing for nothing and for what is cut off", () => {
    expect(lut[0]).toBe(0);
    expect(lut[usdToCode(5_000, RANGE)]).toBe(0);
    expect(lut[usdToCode(20_000, RANGE)]).not.toBe(0);
  });

  it("has golden bytes: A B G R words of viridis", () => {
    const hex = [usdToCode(10_300, RANGE), usdToCode(250_000, RANGE), 200, 255].map((code) =>
      lut[code].toString(16),
    );
    expect(hex).toMatchInlineSnapshot(`
      [
        "4e540144",
        "ff8a503c",
        "ff899c1f",
        "ff25e7fd",
      ]
    `);
  });

  it("saturates at the upper end", () => {
    expect(lut[255]).toBe(lut[usdToCode(1_010_000, RANGE)]);
    expect(lut[255].toString(16)).toBe("ff25e7fd");
  });

  it("dims by opacity alone", () => {
    const dim = buildLut(RANGE, SCALE, paletteSteps("viridis"), "linear", 0.5);
    expect(dim[255] & 0xffffff).toBe(lut[255] & 0xffffff);
    expect(dim[255] >>> 24).toBe(128);
  });
});

describe("palettes", () => {
  const luminance = ([r, g, b]: Rgb) => {
    const linear = [r, g, b].map((c) =>
      c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  it.each([...PALETTES, "magenta", "cyan"] as const)("%s rises in luminance all the way", (name) => {
    const steps = paletteSteps(name).map(luminance);
    expect(steps).toHaveLength(256);
    for (let i = 1; i < 256; i++) expect(steps[i]).toBeGreaterThanOrEqual(steps[i - 1] - 0.002);
    expect(steps[255] - steps[0]).toBeGreaterThan(0.4);
  });

  it("reversed is the same colours the other way round", () => {
    expect(paletteSteps("cividis", true)).toEqual([...paletteSteps("cividis")].reverse());
  });
});

describe("percentiles of the cells that hold something", () => {
  it("ignore empty cells", () => {
    const codes = Uint8Array.from([0, 0, 0, 10, 20, 30, 40]);
    expect(percentileUsd(codes, RANGE, 0.5)).toBe(codeToUsd(20, RANGE));
    expect(percentileUsd(codes, RANGE, 1)).toBe(codeToUsd(40, RANGE));
  });

  it("are not a number when no cell does", () => {
    expect(percentileUsd(new Uint8Array(5), RANGE, 0.5)).toBeNaN();
  });
});
