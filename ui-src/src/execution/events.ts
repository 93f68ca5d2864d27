// The event log: adding pushed events, filtering, and finding errors. Pure.
import { isRecord } from "../api/request";
import type { EventStatus, ExecutionEvent, Failure } from "../api/schema";

/** Appends new events. An event that is in the history and in the stream is added once. */
export function append(known: readonly ExecutionEvent[], fresh: readonly ExecutionEvent[]): ExecutionEvent[] {
  // Only the last events of the history can be in the stream again.
  const seen = new Set(known.slice(-1000).map(({ event_id }) => event_id));
  return [...known, ...fresh.filter(({ event_id }) => !seen.has(event_id))];
}

export interface EventFilter {
  type: string;
  step: string;
  text: string;
}

export const NO_FILTER: EventFilter = { type: "", step: "", text: "" };

/** The parameters of the address that keep a filter; `step` is that of the log. */
const PARAMETERS = { type: "event", step: "event_step", text: "q" } as const;

/** Reads a filter from the address. */
export function eventFilterIn(parameters: URLSearchParams): EventFilter {
  const text = (name: keyof EventFilter) => parameters.get(PARAMETERS[name]) ?? "";
  return { type: text("type"), step: text("step"), text: text("text") };
}

/** Writes a filter to the parameters of an address, and leaves the others. */
export function withEventFilter(parameters: URLSearchParams, filter: EventFilter): URLSearchParams {
  const next = new URLSearchParams(parameters);
  for (const name of ["type", "step", "text"] as const) {
    if (filter[name] === "") next.delete(PARAMETERS[name]);
    else next.set(PARAMETERS[name], filter[name]);
  }
  return next;
}

export function select(
  events: readonly ExecutionEvent[],
  { type, step, text }: EventFilter,
): ExecutionEvent[] {
  const wanted = text.trim().toLowerCase();
  return events.filter(
    (event) =>
      (type === "" || event.event_type === type) &&
      (step === "" || event.node_name === step) &&
      (wanted === "" ||
        [
          event.event_type,
          event.node_name ?? "",
          event.status,
          event.error?.message ?? "",
          event.event_id,
        ].some((part) => part.toLowerCase().includes(wanted))),
  );
}

export function typesOf(events: readonly ExecutionEvent[]): string[] {
  return [...new Set(events.map(({ event_type }) => event_type))].sort();
}

export function stepsOf(events: readonly ExecutionEvent[]): string[] {
  return [...new Set(events.flatMap(({ node_name }) => (node_name === null ? [] : [node_name])))];
}

/** The fields of a failure that are shown. For an execution's own error only the message is known. */
export type ShownFailure = Pick<Failure, "message"> & Partial<Failure>;

export interface FoundError {
  step: string | null;
  error: ShownFailure;
  times: number;
  /** The items of a loop that failed with it. */
  items: number[];
}

/** Returns the errors of an execution without duplicates. The event with a place in the playbook is preferred. */
export function errorsOf(events: readonly ExecutionEvent[]): FoundError[] {
  const found = new Map<string, FoundError>();
  for (const { error, node_name, event_type, context } of events) {
    if (error === null) continue;
    const isCall = event_type === "call.error";
    const item = isRecord(context) ? context.iteration : null;
    const items = typeof item === "number" ? [item] : [];
    const key = JSON.stringify([node_name, error.message]);
    // The events of the execution's end repeat the error of a step, and name none.
    const known =
      found.get(key) ??
      (node_name === null ? [...found.values()].find((it) => it.error.message === error.message) : undefined);
    if (known === undefined) {
      found.set(key, { step: node_name, error, times: isCall ? 1 : 0, items });
      continue;
    }
    if (isCall) known.times += 1;
    for (const index of items) if (!known.items.includes(index)) known.items.push(index);
    known.step ??= node_name;
    if (lineOf(known.error) === null && lineOf(error) !== null) known.error = error;
  }
  return [...found.values()];
}

/** Returns the line of the playbook where the error occurred, if it is known. */
export function lineOf(error: ShownFailure): number | null {
  const line = error.place?.line ?? 0;
  return line > 0 ? line : null;
}

export function editorAddress(path: string, version: number, line: number | null): string {
  const parameters = new URLSearchParams({ id: path, version: String(version) });
  if (line !== null) parameters.set("line", String(line));
  return `/editor?${parameters.toString()}`;
}

/**
 * Returns the status of an event. Some failures are only in the name of the event or in its error. A step that began is
 * shown as started: an event is past, and its icon does not turn.
 */
export function toneOf({ event_type, status, error }: ExecutionEvent): EventStatus {
  if (error !== null || event_type.endsWith(".failed") || event_type.endsWith(".error")) return "FAILED";
  return status === "RUNNING" ? "STARTED" : status;
}

/** Returns the reason of a cancellation. */
export function reasonOf(events: readonly ExecutionEvent[]): string | null {
  const cancelled = events.find(({ event_type }) => event_type === "execution.cancelled");
  const context: unknown = cancelled?.context;
  return isRecord(context) && typeof context.reason === "string" ? context.reason : null;
}

/** Returns the workload that an execution began with; undefined until that is known. */
export function inputOf(events: readonly ExecutionEvent[]): Record<string, unknown> | undefined {
  const context: unknown = events.find(({ event_type }) => event_type === "playbook.initialized")?.context;
  return isRecord(context) && isRecord(context.workload) ? context.workload : undefined;
}
