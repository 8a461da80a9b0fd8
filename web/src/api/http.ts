/** One place that talks HTTP: JSON and binary GETs, writes, problem documents as typed errors. */
import type { Problem } from "./types";

/** The page may be mounted under a prefix; routes are one level deep, so the API lies beside the page. */
export function apiUrl(path: string): URL {
  return new URL(`api/v1/${path}`, document.baseURI);
}

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null = null,
    readonly hint: string | null = null,
    readonly where: string | null = null,
  ) {
    super(message);
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  let problem: Partial<Problem> = {};
  try {
    problem = (await response.json()) as Partial<Problem>;
  } catch {
    // Not a problem document (a proxy's page, an empty body): the status line is all there is to tell.
  }
  const text = problem.detail || problem.title || `${response.status} ${response.statusText}`;
  return new ApiError(
    text,
    response.status,
    problem.code ?? null,
    problem.hint ?? null,
    problem.where ?? null,
  );
}

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(apiUrl(path), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The engine does not answer.", 0, null, "Is `faultline serve` running?");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { headers: { accept: "application/json" }, signal: signal ?? null });
  return (await response.json()) as T;
}

export async function getBytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const response = await request(path, { signal: signal ?? null });
  return response.arrayBuffer();
}

async function sendJson<T>(method: "POST" | "PUT", path: string, body: unknown): Promise<T> {
  const response = await request(path, {
    method,
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

export const postJson = <T>(path: string, body: unknown) => sendJson<T>("POST", path, body);
export const putJson = <T>(path: string, body: unknown) => sendJson<T>("PUT", path, body);

export async function deleteJson<T>(path: string): Promise<T> {
  const response = await request(path, { method: "DELETE", headers: { accept: "application/json" } });
  return (await response.json()) as T;
}
