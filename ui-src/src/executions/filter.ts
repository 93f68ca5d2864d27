// The filter of the list: converts the page's address into the request, and decides whether a pushed execution
// matches. Pure.
import { type Filter } from "../api/executions";
import { executionStatusValues, type Execution, type ExecutionStatus } from "../api/schema";

export const RANGES = [
  { value: "", label: "Any time", seconds: null },
  { value: "15m", label: "Last 15 minutes", seconds: 15 * 60 },
  { value: "1h", label: "Last hour", seconds: 3600 },
  { value: "24h", label: "Last 24 hours", seconds: 24 * 3600 },
  { value: "7d", label: "Last 7 days", seconds: 7 * 24 * 3600 },
] as const;

export type Range = (typeof RANGES)[number]["value"];

export interface Choice {
  status: ExecutionStatus | "";
  text: string;
  range: Range;
}

/** Parses the address. Unknown values are ignored. Old bookmarks have statuses in lower case. */
export function choiceOf(parameters: URLSearchParams): Choice {
  const status = (parameters.get("status") ?? "").toUpperCase();
  const range = parameters.get("range") ?? "";
  return {
    status: executionStatusValues.find((known) => known === status) ?? "",
    text: parameters.get("q") ?? "",
    range: RANGES.find(({ value }) => value === range)?.value ?? "",
  };
}

export function addressOf({ status, text, range }: Choice): URLSearchParams {
  const parameters = new URLSearchParams();
  if (status !== "") parameters.set("status", status);
  if (text !== "") parameters.set("q", text);
  if (range !== "") parameters.set("range", range);
  return parameters;
}

export function filterOf({ status, text, range }: Choice, now: number): Filter {
  const seconds = RANGES.find(({ value }) => value === range)?.seconds ?? null;
  const since = seconds === null ? "" : new Date(now - seconds * 1000).toISOString();
  return { status, text: text.trim(), since };
}

export function matches(
  { status, path, execution_id, error, start_time }: Execution,
  filter: Filter,
): boolean {
  if (filter.status !== "" && status !== filter.status) return false;
  if (filter.since !== "" && Date.parse(start_time) < Date.parse(filter.since)) return false;
  const text = filter.text.toLowerCase();
  return execution_id.startsWith(text) || [path, error ?? ""].some((part) => part.toLowerCase().includes(text));
}

/** Whether an execution has not ended. */
export function isLive(status: ExecutionStatus): boolean {
  return status === "PENDING" || status === "RUNNING";
}
