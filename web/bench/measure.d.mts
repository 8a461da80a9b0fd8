/** What the tests use of the measurements. */
import type { CDPSession, Page } from "@playwright/test";

export interface Panning {
  readonly map: number;
  readonly candles: number;
  readonly added: number;
  readonly gaps: { readonly map: number[]; readonly candles: number[] };
}

export function median(values: readonly number[]): number;
export function open(page: Page, origin: string, how: { heat: boolean; fit: boolean }): Promise<void>;
export function panning(
  page: Page,
  cdp: CDPSession,
  origin: string,
  how: { runs: number; frames: number; fit: boolean },
): Promise<Panning>;
export function loading(page: Page, path: string, times: number): Promise<{ took: number[]; cells: number }>;
export function decoder(root: string): Promise<string>;
