// The calls of one step, made from the events of its execution: each with its input, output, error and attempts. Pure.
import { isRecord } from "../api/request";
import type { ExecutionEvent, Failure, StepStatus } from "../api/schema";

export interface Call {
  /** The number of its command, which is unique in the execution. */
  number: string;
  step: string;
  tool: string;
  /** The index of its loop's item, and the item. */
  item: number | null;
  itemValue: unknown;
  status: StepStatus;
  /** The attempts that failed before the last one. */
  retried: { attempt: number; error: Failure | null; seconds: number | null }[];
  /** The number of the last attempt. */
  attempt: number;
  start: string | null;
  end: string | null;
  seconds: number | null;
  worker: string | null;
  /** The fields and arguments of its tool, with templates replaced. */
  input: unknown;
  result: unknown;
  error: Failure | null;
}

const ENDS = new Set(["call.done", "call.error", "sink.executed", "sink.failed"]);

/** Returns the calls of a step in the order in which they were issued. After its end an execution has no open calls. */
export function callsOf(events: readonly ExecutionEvent[], step: string, isEnded: boolean): Call[] {
  const calls = new Map<string, Call>();
  const items = new Map<number, unknown>();
  for (const event of events) {
    if (event.node_name !== step) continue;
    const context: Record<string, unknown> = isRecord(event.context) ? event.context : {};
    const command = event.node_id;
    if (event.event_type === "loop.item") {
      if (typeof context.index === "number") items.set(context.index, context.item);
    } else if (event.event_type === "command.issued" && command !== null) {
      calls.set(command, issued(event, context, items));
    } else if (event.event_type === "step.exit") {
      takeExit(calls, event);
    } else if (command !== null) {
      const call = calls.get(command);
      if (call !== undefined) take(call, event, context);
    } else if (ENDS.has(event.event_type)) {
      // A step without a tool, and one that failed before its tool was called, have no command.
      takeAlone(calls, event, context);
    }
  }
  const list = [...calls.values()];
  if (isEnded) {
    for (const call of list) {
      if (call.status === "PENDING" || call.status === "RUNNING") call.status = "CANCELLED";
    }
  }
  return list;
}

function takeAlone(calls: Map<string, Call>, event: ExecutionEvent, context: Record<string, unknown>): void {
  const call = { ...issued(event, context, new Map()), number: event.event_id, start: event.created_at };
  take(call, event, context);
  calls.set(event.event_id, call);
}

/** A step may fail after its calls: by a rule, an assignment or a condition. Its last call then has the error. */
function takeExit(calls: Map<string, Call>, event: ExecutionEvent): void {
  const { error } = event;
  if (error === null) return;
  const list = [...calls.values()];
  if (list.some((call) => call.error?.message === error.message)) return;
  const last = list.findLast(({ end }) => end !== null);
  if (last === undefined) takeAlone(calls, event, {});
  else if (last.error === null) Object.assign(last, { error, status: "FAILED" });
}

function issued(
  event: ExecutionEvent,
  context: Record<string, unknown>,
  items: ReadonlyMap<number, unknown>,
): Call {
  const item = typeof context.iteration === "number" ? context.iteration : null;
  return {
    number: event.node_id?.split(":").at(-1) ?? event.event_id,
    step: event.node_name ?? "",
    tool: typeof context.tool === "string" ? context.tool : "",
    item,
    itemValue: item === null ? undefined : items.get(item),
    status: "PENDING",
    retried: [],
    attempt: typeof context.attempt === "number" ? context.attempt : 1,
    start: null,
    end: null,
    seconds: null,
    worker: null,
    input: undefined,
    result: null,
    error: null,
  };
}

function take(call: Call, event: ExecutionEvent, context: Record<string, unknown>): void {
  if (event.event_type === "command.claimed") {
    call.status = "RUNNING";
    call.start = event.created_at;
    call.worker = typeof context.worker_id === "string" ? context.worker_id : null;
  } else if (event.event_type === "call.retried") {
    const attempt = typeof context.attempt === "number" ? context.attempt : call.retried.length + 1;
    call.retried.push({ attempt, error: event.error, seconds: event.duration });
    call.attempt = attempt + 1;
  } else if (ENDS.has(event.event_type) || event.event_type === "step.exit") {
    call.status = event.error === null ? "COMPLETED" : "FAILED";
    call.end = event.created_at;
    call.seconds = event.duration;
    call.result = event.result;
    call.error = event.error;
    call.input = context.input;
    if (typeof context.attempt === "number") call.attempt = context.attempt;
  }
}

/**
 * Returns the call that is shown: the one of that number if it is of the item, else one of the item or step: the last one
 * that failed for good, else the last one that has ended, else the last one.
 */
export function chosenCall(calls: readonly Call[], number: string, item: number | null): Call | undefined {
  const among = item === null ? calls : calls.filter((call) => call.item === item);
  const named = among.find((call) => call.number === number);
  if (named !== undefined) return named;
  const last = new Map<number | null, Call>();
  for (const call of among) last.set(call.item, call);
  return (
    among.findLast((call) => call.status === "FAILED" && last.get(call.item) === call) ??
    among.findLast(({ end, tool }) => end !== null && tool !== "sink") ??
    among.at(-1)
  );
}

const URGENCY: readonly StepStatus[] = ["FAILED", "RUNNING", "PENDING", "CANCELLED", "COMPLETED", "SKIPPED"];

/** Returns the calls that a text or a status selects, failed ones first. */
export function listed(calls: readonly Call[], search: string): Call[] {
  const wanted = search.trim().toLowerCase();
  return calls
    .filter((call) => wanted === "" || textOf(call).includes(wanted))
    .sort((a, b) => URGENCY.indexOf(a.status) - URGENCY.indexOf(b.status));
}

function textOf(call: Call): string {
  const item = call.itemValue === undefined ? "" : JSON.stringify(call.itemValue);
  return [nameOf(call), item, call.status, call.error?.message ?? ""].join(" ").toLowerCase();
}

/** Returns what a call is named beside others of its step. Items are counted from 0, as in `loop_index`. */
export function nameOf({ item, number, attempt }: Call): string {
  const place = item === null ? `call ${number}` : `item ${item}`;
  return attempt > 1 ? `${place}, attempt ${attempt}` : place;
}

/** Returns the traceback or the output of errors that a tool gave beside its message. */
export function traceOf(error: Failure): string | null {
  const result: unknown = error.result;
  if (!isRecord(result)) return null;
  const text = [result.traceback, result.stderr].find((it) => typeof it === "string" && it.trim() !== "");
  return typeof text === "string" ? text : null;
}
