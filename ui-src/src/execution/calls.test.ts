// The calls of a step, made from events.
import { describe, expect, test } from "vitest";
import type { ExecutionEvent } from "../api/schema";
import { callsOf, chosenCall, listed, nameOf, traceOf } from "./calls";

let at = 0;
const event = (
  event_type: string,
  command: string | null,
  context: unknown,
  more: Partial<ExecutionEvent> = {},
): ExecutionEvent => ({
  event_id: String((at += 1)),
  execution_id: "1",
  catalog_id: "1",
  event_type,
  node_id: command === null ? null : `1:each:${command}`,
  node_name: "each",
  status: "RUNNING",
  created_at: "2026-11-23T11:50:00.000Z",
  timestamp: "2026-11-23T11:50:00.000Z",
  context,
  result: null,
  error: null,
  meta: {},
  duration: null,
  parent_event_id: null,
  parent_execution_id: null,
  ...more,
});
const error = { kind: "http", message: "HTTP 503", retryable: true };

/** A loop of three items: the first ends well at the second attempt, the second fails, the third runs. */
const EVENTS = [
  event("loop.item", null, { index: 0, item: "a", total: 3 }),
  event("command.issued", "2", { tool: "http", attempt: 1, iteration: 0 }),
  event("loop.item", null, { index: 1, item: { name: "b" }, total: 3 }),
  event("command.issued", "3", { tool: "http", attempt: 1, iteration: 1 }),
  event("command.claimed", "2", { worker_id: "w1" }),
  event("call.retried", "2", { attempt: 1, iteration: 0 }, { error, duration: 0.5 }),
  event(
    "call.done",
    "2",
    { attempt: 2, iteration: 0, input: { url: "http://x" } },
    { result: { n: 1 }, duration: 2 },
  ),
  event("command.claimed", "3", { worker_id: "w2" }),
  event("call.error", "3", { attempt: 1, iteration: 1 }, { error, status: "FAILED" }),
  event("loop.item", null, { index: 2, item: "c", total: 3 }),
  event("command.issued", "4", { tool: "http", attempt: 1, iteration: 2 }),
  event("call.done", "9", { attempt: 1 }, { node_name: "other", node_id: "1:other:9" }),
];

test("each call has its item, its attempts, its input and how it ended", () => {
  const calls = callsOf(EVENTS, "each", false);
  expect(calls.map(({ number, status }) => [number, status])).toEqual([
    ["2", "COMPLETED"],
    ["3", "FAILED"],
    ["4", "PENDING"],
  ]);
  expect(calls[0]).toMatchObject({
    item: 0,
    itemValue: "a",
    attempt: 2,
    retried: [{ attempt: 1, error, seconds: 0.5 }],
    worker: "w1",
    input: { url: "http://x" },
    result: { n: 1 },
    seconds: 2,
  });
  expect(calls[1]).toMatchObject({ item: 1, itemValue: { name: "b" }, error, worker: "w2" });
  expect(callsOf(EVENTS, "missing", false)).toEqual([]);
});

test("a step without a tool, and one that failed before or after its calls, are told", () => {
  const alone = [event("call.done", null, {}, { status: "COMPLETED", result: 7 })];
  expect(callsOf(alone, "each", false)).toMatchObject([{ status: "COMPLETED", result: 7 }]);
  const before = [event("step.exit", null, { next: [] }, { error })];
  expect(callsOf(before, "each", true)).toMatchObject([{ status: "FAILED", error }]);
  const after = [
    event("command.issued", "2", { tool: "http", attempt: 1 }),
    event("call.done", "2", { attempt: 1 }, { result: 1 }),
    event("step.exit", null, { next: [] }, { error }),
  ];
  expect(callsOf(after, "each", true)).toMatchObject([{ number: "2", status: "FAILED", error, result: 1 }]);
});

test("no call is open after the end of an execution", () => {
  expect(callsOf(EVENTS, "each", true).map(({ status }) => status)).toEqual(["COMPLETED", "FAILED", "CANCELLED"]);
});

describe("a choice", () => {
  const calls = callsOf(EVENTS, "each", false);
  test("names a call or an item; without one, what failed is shown", () => {
    expect(chosenCall(calls, "4", null)?.number).toBe("4");
    expect(chosenCall(calls, "", 0)?.number).toBe("2");
    expect(chosenCall(calls, "", null)?.number).toBe("3");
    expect(chosenCall(calls.slice(0, 1), "unknown", null)?.number).toBe("2");
    expect(chosenCall([], "", null)).toBeUndefined();
    // A number of another item is left over from an earlier choice.
    expect(chosenCall(calls, "4", 0)?.number).toBe("2");
  });

  test("is made in a list that has failed calls first and is searched by item, status and error", () => {
    expect(listed(calls, "").map(({ number }) => number)).toEqual(["3", "4", "2"]);
    expect(listed(calls, ' "B" ').map(nameOf)).toEqual(["item 1"]);
    expect(listed(calls, "completed").map(nameOf)).toEqual(["item 0, attempt 2"]);
    expect(listed(calls, "503").map(nameOf)).toEqual(["item 1"]);
  });
});

test("a traceback is preferred to what a program wrote", () => {
  expect(traceOf({ ...error, result: { traceback: "Traceback", stderr: "x" } })).toBe("Traceback");
  expect(traceOf({ ...error, result: { stderr: "sh: not found\n" } })).toBe("sh: not found\n");
  expect(traceOf({ ...error, result: { stderr: " " } })).toBeNull();
  expect(traceOf(error)).toBeNull();
});
