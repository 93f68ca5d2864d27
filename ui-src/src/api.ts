// Talks to the NoETL server: one function that asks, one per question, and the types of the answers.
// Addresses are relative, because the page is served by the server it asks. Caching is queries.ts's work.

const TIMEOUT_SECONDS = 10;

/** A question that got no answer (status 0), a refusal, or an answer nobody can read. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly detail: string;

  constructor(status: number, detail: string, options?: ErrorOptions) {
    super(status === 0 ? detail : `${detail} (HTTP ${status})`, options);
    this.status = status;
    this.detail = detail;
  }
}

export interface Health {
  status: "ok";
}

/** What the running server was built from. */
export interface BuildStamp {
  schema: number;
  name: string;
  version: string;
  commit: string;
  target: string;
  target_features: string;
  rustc: string;
  ui_sha256: string | null;
  default_port: number;
  ui_embedded: boolean;
}

export function getHealth(signal?: AbortSignal): Promise<Health> {
  return request("/api/health", isHealth, { signal });
}

export function getVersion(signal?: AbortSignal): Promise<BuildStamp> {
  return request("/api/version", isBuildStamp, { signal });
}

interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** Sends JSON, reads JSON, and hands back an answer only when `accepts` knows its form. */
export async function request<T>(
  path: `/api/${string}`,
  accepts: (answer: unknown) => answer is T,
  { method = "GET", body, signal }: RequestOptions = {},
): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_SECONDS * 1000);
  const headers = new Headers({ accept: "application/json" });
  const init: RequestInit = {
    method,
    headers,
    cache: "no-store",
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  };
  if (body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(body);
  }

  let response: Response;
  let text: string;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (cause) {
    // Whoever cancelled does not want to read about a broken connection.
    if (signal?.aborted === true) throw cause;
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    const detail = late ? `no answer within ${TIMEOUT_SECONDS} seconds` : "no connection to the server";
    throw new ApiError(0, detail, { cause });
  }

  const answer = parse(text);
  if (!response.ok) {
    throw new ApiError(response.status, detailOf(answer) ?? "the server refused the request");
  }
  if (answer === undefined) {
    throw new ApiError(response.status, `the answer from ${path} is not JSON`);
  }
  if (!accepts(answer)) {
    throw new ApiError(response.status, `the answer from ${path} has an unknown form`);
  }
  return answer;
}

/** JSON has no undefined, so that stands for text that is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function detailOf(answer: unknown): string | undefined {
  return isRecord(answer) && typeof answer.detail === "string" ? answer.detail : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHealth(answer: unknown): answer is Health {
  return isRecord(answer) && answer.status === "ok";
}

const STAMP_TYPES: Record<keyof BuildStamp, readonly string[]> = {
  schema: ["number"],
  name: ["string"],
  version: ["string"],
  commit: ["string"],
  target: ["string"],
  target_features: ["string"],
  rustc: ["string"],
  ui_sha256: ["string", "null"],
  default_port: ["number"],
  ui_embedded: ["boolean"],
};

function isBuildStamp(answer: unknown): answer is BuildStamp {
  return (
    isRecord(answer) &&
    Object.entries(STAMP_TYPES).every(([key, types]) =>
      types.includes(answer[key] === null ? "null" : typeof answer[key]),
    )
  );
}
