// What the steps of an execution print.
import { hasFields, query, request } from "./request";
import type { LogAttempt, LogPage, LogSummary } from "./schema";

/** Which lines are wanted; an empty text or null does not narrow. */
export interface LogFilter {
  step: string;
  item: number | null;
  attempt: number | null;
}

/** The most lines of one answer. */
const LIMIT = 5000;

export function getLog(
  id: string,
  { step, item, attempt }: LogFilter,
  after: string,
  signal?: AbortSignal,
): Promise<LogPage> {
  const parameters = { step, item: item ?? undefined, attempt: attempt ?? undefined, after, limit: LIMIT };
  const isPage = hasFields<LogPage>({ lines: "array", after: "string", more: "boolean", status: "string" });
  return request(`/api/executions/${encodeURIComponent(id)}/logs${query(parameters)}`, isPage, { signal });
}

export async function getLogAttempts(id: string, signal?: AbortSignal): Promise<LogAttempt[]> {
  const isSummary = hasFields<LogSummary>({ attempts: "array" });
  const path: `/api/${string}` = `/api/executions/${encodeURIComponent(id)}/logs/summary`;
  return (await request(path, isSummary, { signal })).attempts;
}
