// Requests for executions: the list, one execution, its events, flow and timeline, and ending one.
import { isStarted } from "./catalog";
import { hasFields, query, request } from "./request";
import type {
  CancelAnswer,
  CancelRequest,
  EventList,
  Execution,
  ExecutionEvent,
  ExecutionGraph,
  ExecutionInput,
  ExecutionState,
  ExecutionStatus,
  RetryRequest,
  Started,
  Timeline,
  TimelineStep,
} from "./schema";

export interface Filter {
  status: ExecutionStatus | "";
  text: string;
  /** RFC 3339. Executions that started earlier are excluded. */
  since: string;
}

export const isExecution = hasFields<Execution>({ execution_id: "string", status: "string", path: "string" });
export const isEvent = hasFields<ExecutionEvent>({ event_id: "string", event_type: "string" });

export interface ExecutionPage {
  items: Execution[];
  total: number;
  /** Whether there may be more than `total`: the server does not count all executions that contain a text. */
  isMinimum: boolean;
}

/** Up to this number the server counts the executions that contain a text. */
const MOST_COUNTED = 1000;

export async function listExecutions(
  filter: Filter & { parent?: string; path?: string },
  { offset = 0, limit = 100 } = {},
  signal?: AbortSignal,
): Promise<ExecutionPage> {
  const { status, text, since, parent, path } = filter;
  const parameters = { status, q: text, since, parent_execution_id: parent, path, limit, offset };
  let total = 0;
  const items = await request(`/api/executions${query(parameters)}`, isExecutions, {
    signal,
    onHeaders: (headers) => {
      total = Number(headers.get("x-total-count") ?? 0);
    },
  });
  return {
    items,
    total: Math.max(total, offset + items.length),
    isMinimum: text !== "" && total >= MOST_COUNTED,
  };
}

const isExecutions = (answer: unknown): answer is Execution[] =>
  Array.isArray(answer) && answer.every((entry) => isExecution(entry));

export function getExecution(id: string, signal?: AbortSignal): Promise<Execution> {
  // The smallest page size, since the events are requested separately.
  return request(`${at(id)}?page_size=10`, isExecution, { signal });
}

export function getEvents(id: string, after: string | null, signal?: AbortSignal): Promise<EventList> {
  const isPage = hasFields<EventList>({ events: "array", status: "string" });
  return request(`${at(id)}/events${query({ after: after ?? "", limit: 500 })}`, isPage, { signal });
}

export async function getTimeline(id: string, signal?: AbortSignal): Promise<TimelineStep[]> {
  const isTimeline = hasFields<Timeline>({ steps: "array" });
  return (await request(`${at(id)}/timeline`, isTimeline, { signal })).steps;
}

export function getLiveGraph(id: string, signal?: AbortSignal): Promise<ExecutionGraph> {
  const isLiveGraph = hasFields<ExecutionGraph>({ nodes: "array", edges: "array", states: "object" });
  return request(`${at(id)}/graph`, isLiveGraph, { signal });
}

export function getOutcome(id: string, signal?: AbortSignal): Promise<ExecutionState> {
  return request(`${at(id)}/status`, hasFields<ExecutionState>({ status: "string" }), { signal });
}

/** Cancels an execution and those that it has started. An empty reason is one that says where it was done. */
export async function cancel(id: string, reason: string): Promise<CancelAnswer["status"]> {
  const body: CancelRequest = { reason: reason || "cancelled on the web page", cascade: true };
  const isCancelled = hasFields<CancelAnswer>({ status: "string" });
  return (await request(`${at(id)}/cancel`, isCancelled, { method: "POST", body })).status;
}

export function rerun(id: string): Promise<Started> {
  return request(`${at(id)}/rerun`, isStarted, { method: "POST", body: {} });
}

/** Starts an execution that keeps the results of one that failed or was cancelled. Without a version it has the same one. */
export function retry(id: string, version: "latest" | null): Promise<Started> {
  const body: RetryRequest = version === null ? {} : { version };
  return request(`${at(id)}/retry`, isStarted, { method: "POST", body });
}

/** Returns what an execution was started with. */
export function getInput(id: string, signal?: AbortSignal): Promise<ExecutionInput> {
  return request(`${at(id)}/input`, hasFields<ExecutionInput>({ payload: "object" }), { signal });
}

function at(id: string): `/api/${string}` {
  return `/api/executions/${encodeURIComponent(id)}`;
}
