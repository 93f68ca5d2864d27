// Questions about executions: the list, one of them, its events, flow and timeline, and ending one.
import { isStarted, type Graph, type Started } from "./catalog";
import { hasFields, isRecord, query, request, type Place } from "./request";

export const STATUSES = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;
export type Status = (typeof STATUSES)[number];
export type StepStatus = Status | "SKIPPED";

export interface Execution {
  execution_id: string;
  catalog_id: string;
  path: string;
  version: number;
  status: Status;
  start_time: string;
  end_time: string | null;
  duration_seconds: number | null;
  progress: number;
  current_step: string | null;
  result: unknown;
  error: string | null;
  parent_execution_id: string | null;
}

export interface StepError {
  kind?: string;
  message: string;
  place?: Place | null;
  help?: string | null;
  code?: unknown;
}

export interface ExecutionEvent {
  event_id: string;
  execution_id: string;
  event_type: string;
  node_id: string | null;
  node_name: string | null;
  status: string;
  created_at: string;
  context: unknown;
  result: unknown;
  error: StepError | null;
  meta: unknown;
  duration: number | null;
}

export interface EventPage {
  events: ExecutionEvent[];
  last_event_id: string | null;
  status: Status;
}

export interface TimelineStep {
  step: string;
  iteration: number | null;
  attempt: number;
  status: StepStatus;
  start_time: string;
  end_time: string | null;
  duration_seconds: number | null;
  worker_id: string | null;
  error: unknown;
}

export interface StepState {
  status: StepStatus;
  count: number;
}

export interface LiveGraph extends Graph {
  states: Record<string, StepState>;
}

/** The end of an execution as `/status` tells it: with the whole result, however large. */
export interface Outcome {
  status: Status;
  result: unknown;
  error: unknown;
  variables?: Record<string, unknown>;
}

export interface Filter {
  status: Status | "";
  text: string;
  /** RFC 3339; what started before is left out. */
  since: string;
}

export const isExecution = hasFields<Execution>({ execution_id: "string", status: "string", path: "string" });
export const isEvent = hasFields<ExecutionEvent>({ event_id: "string", event_type: "string" });

export interface ExecutionPage {
  items: Execution[];
  total: number;
}

export async function listExecutions(
  filter: Filter & { parent?: string },
  { offset = 0, limit = 100 } = {},
  signal?: AbortSignal,
): Promise<ExecutionPage> {
  const { status, text, since, parent } = filter;
  const parameters = { status, q: text, since, parent_execution_id: parent, limit, offset };
  let total = 0;
  const items = await request(`/api/executions${query(parameters)}`, isExecutions, {
    signal,
    onHeaders: (headers) => {
      total = Number(headers.get("x-total-count") ?? 0);
    },
  });
  return { items, total: Math.max(total, offset + items.length) };
}

const isExecutions = (answer: unknown): answer is Execution[] =>
  Array.isArray(answer) && answer.every((entry) => isExecution(entry));

export function getExecution(id: string, signal?: AbortSignal): Promise<Execution> {
  // The smallest page there is: the events come from their own question.
  return request(`${at(id)}?page_size=10`, isExecution, { signal });
}

export function getEvents(id: string, after: string | null, signal?: AbortSignal): Promise<EventPage> {
  const isPage = hasFields<EventPage>({ events: "array", status: "string" });
  return request(`${at(id)}/events${query({ after: after ?? "", limit: 500 })}`, isPage, { signal });
}

export async function getTimeline(id: string, signal?: AbortSignal): Promise<TimelineStep[]> {
  const isTimeline = hasFields<{ steps: TimelineStep[] }>({ steps: "array" });
  return (await request(`${at(id)}/timeline`, isTimeline, { signal })).steps;
}

export function getLiveGraph(id: string, signal?: AbortSignal): Promise<LiveGraph> {
  const isLiveGraph = hasFields<LiveGraph>({ nodes: "array", edges: "array", states: "object" });
  return request(`${at(id)}/graph`, isLiveGraph, { signal });
}

export function getOutcome(id: string, signal?: AbortSignal): Promise<Outcome> {
  return request(`${at(id)}/status`, hasFields<Outcome>({ status: "string" }), { signal });
}

export async function cancel(id: string): Promise<string> {
  const body = { reason: "cancelled on the web page", cascade: true };
  const answer = await request(`${at(id)}/cancel`, isRecord, { method: "POST", body });
  return String(answer.status);
}

export function rerun(id: string): Promise<Started> {
  return request(`${at(id)}/rerun`, isStarted, { method: "POST", body: {} });
}

function at(id: string): `/api/${string}` {
  return `/api/executions/${encodeURIComponent(id)}`;
}
