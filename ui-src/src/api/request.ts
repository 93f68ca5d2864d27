// Sends requests to the NoETL server and turns errors into ApiError. The other files of this folder define the
// requests. Addresses are relative, since the server also serves the page.
import type { Problem } from "./schema";
import { tokenNeeded } from "./session";

const TIMEOUT_SECONDS = 10;

/** A request without an answer (status 0), with an error status, or with an answer of an unknown form. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly detail: string;
  /** Help from the server, if it has any. */
  readonly help: string | undefined;
  /** The problems of a playbook, if they are the reason. */
  readonly problems: readonly Problem[];

  constructor(status: number, detail: string, options: ErrorOptions & { answer?: unknown } = {}) {
    super(status === 0 ? detail : `${detail} (HTTP ${status})`, options);
    const answer = isRecord(options.answer) ? options.answer : {};
    this.status = status;
    this.detail = detail;
    this.help = typeof answer.help === "string" ? answer.help : undefined;
    this.problems = Array.isArray(answer.problems) ? answer.problems.filter(isProblem) : [];
  }
}

interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Receives the headers of the answer, such as a total. */
  onHeaders?: (headers: Headers) => void;
}

/** Sends and receives JSON. Fails with ApiError when `accepts` rejects the answer. */
export async function request<T>(
  path: `/api/${string}`,
  accepts: (answer: unknown) => answer is T,
  { method = "GET", body, signal, onHeaders }: RequestOptions = {},
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
    // A cancelled request must not be reported as a connection failure.
    if (signal?.aborted === true) throw cause;
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    const detail = late ? `no answer within ${TIMEOUT_SECONDS} seconds` : "no connection to the server";
    throw new ApiError(0, detail, { cause });
  }

  const answer = parse(text);
  // The prompt handles a wrong token itself. Any other 401 opens the prompt.
  if (response.status === 401 && path !== "/api/session") tokenNeeded();
  if (!response.ok) {
    throw new ApiError(response.status, detailOf(answer) ?? "the server refused the request", { answer });
  }
  if (answer === undefined) {
    throw new ApiError(response.status, `the answer from ${path} is not JSON`);
  }
  if (!accepts(answer)) {
    throw new ApiError(response.status, `the answer from ${path} has an unknown form`);
  }
  onHeaders?.(response.headers);
  return answer;
}

/** Returns undefined for text that is not JSON, since no JSON value is undefined. */
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

function isProblem(value: unknown): value is Problem {
  return isRecord(value) && typeof value.message === "string" && isRecord(value.place);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export type Kind = "string" | "number" | "boolean" | "object" | "array" | "null";

/** Returns a check that an answer has these fields with these types. Other fields are ignored. */
export function hasFields<T>(fields: Partial<Record<keyof T, Kind | readonly Kind[]>>) {
  const wanted = (Object.entries(fields) as [string, Kind | readonly Kind[]][]).map(
    ([key, kinds]) => [key, [kinds].flat() as string[]] as const,
  );
  return (answer: unknown): answer is T =>
    isRecord(answer) && wanted.every(([key, kinds]) => kinds.includes(kindOf(answer[key])));
}

/** Returns a check that an answer is a list whose entries pass `accepts`. */
export function isListOf<T>(accepts: (entry: unknown) => entry is T) {
  return (answer: unknown): answer is T[] => Array.isArray(answer) && answer.every(accepts);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Returns `?a=1&b=2` for the parameters that are set, or an empty text. */
export function query(parameters: Record<string, string | number | boolean | undefined>): string {
  const set = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") set.set(key, String(value));
  }
  const text = set.toString();
  return text === "" ? "" : `?${text}`;
}
