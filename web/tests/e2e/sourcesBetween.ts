/** Answers about venues, changed on their way to the page. */
import type { Page } from "@playwright/test";
import type { SourceStatus, SourcesAnswer } from "../../src/api/sources";

export type Change = (answer: SourcesAnswer) => unknown;

/** Answers about sources pass through `change`, which a test may replace while the page is open. */
export async function between(page: Page): Promise<{ change: Change; n: number }> {
  const held: { change: Change; n: number } = { change: (answer) => answer, n: 0 };
  await page.route(/\/api\/v1\/sources/, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    if (!/brief/.test(route.request().url())) held.n += 1;
    await route.fulfill({ response, json: held.change(JSON.parse(text)) });
  });
  return held;
}

export const become =
  (states: Readonly<Record<string, SourceStatus>>): Change =>
  (answer) => ({
    ...answer,
    venues: answer.venues.map((venue) => ({ ...venue, status: states[venue.venue] ?? venue.status })),
  });
