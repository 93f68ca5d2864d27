// The event log: joining history and stream, filters, errors and their places.
import { expect, test } from "vitest";
import type { ExecutionEvent, Failure } from "../api/schema";
import {
  append,
  editorAddress,
  errorsOf,
  inputOf,
  lineOf,
  NO_FILTER,
  select,
  stepsOf,
  toneOf,
  eventFilterIn,
  withEventFilter,
  typesOf,
} from "./events";

let next = 478_775_660_589_088_776n;
const event = (event_type: string, more: Partial<ExecutionEvent> = {}): ExecutionEvent => ({
  event_id: String((next += 1n)),
  execution_id: "1",
  catalog_id: "2",
  event_type,
  node_id: null,
  node_name: null,
  status: "COMPLETED",
  created_at: "2026-11-23T12:00:00.000Z",
  timestamp: "2026-11-23T12:00:00.000Z",
  context: null,
  result: null,
  error: null,
  meta: {},
  duration: null,
  parent_event_id: null,
  parent_execution_id: null,
  ...more,
});
const error = (message: string, line = 0): Failure => ({
  kind: "http",
  message,
  retryable: false,
  place: { file: "p", line, column: 0 },
});

test("an event in the history and the stream is added once", () => {
  const [a, b, c] = [event("a"), event("b"), event("c")];
  expect(append([a, b], [b, c])).toEqual([a, b, c]);
});

test("ids that differ in their last digit are different events", () => {
  const a = event("a", { event_id: "478775660589088776" });
  const b = event("b", { event_id: "478775660589088777" });
  expect(append([a], [b])).toHaveLength(2);
});

test("filters by type, step and text, together", () => {
  const events = [
    event("step.enter", { node_name: "fetch" }),
    event("call.error", { node_name: "fetch", error: error("HTTP 503 from upstream") }),
    event("call.done", { node_name: "store" }),
  ];
  const found = (filter: object) =>
    select(events, { ...NO_FILTER, ...filter }).map(({ event_type }) => event_type);
  expect(found({})).toHaveLength(3);
  expect(found({ step: "fetch" })).toEqual(["step.enter", "call.error"]);
  expect(found({ text: " 503 " })).toEqual(["call.error"]);
  expect(found({ type: "call.done", step: "fetch" })).toEqual([]);
  expect(typesOf(events)).toEqual(["call.done", "call.error", "step.enter"]);
  expect(stepsOf(events)).toEqual(["fetch", "store"]);
});

test("an error in several events is listed once, with a place if any of them has one", () => {
  const errors = errorsOf([
    event("call.error", { node_name: "fetch", error: error("503", 20), context: { iteration: 4 } }),
    event("call.error", { node_name: "fetch", error: error("503", 20), context: { iteration: 7 } }),
    event("command.failed", { node_name: "fetch", error: error("503") }),
    event("playbook.failed", { error: error("503") }),
  ]);
  expect(errors).toEqual([{ step: "fetch", error: error("503", 20), times: 2, items: [4, 7] }]);
});

test("the input is the workload that the execution began with", () => {
  expect(inputOf([])).toBeUndefined();
  expect(inputOf([event("playbook.initialized", { context: { workload: { a: 1 }, target: null } })])).toEqual({
    a: 1,
  });
});

test("the place links to the line of the version that ran", () => {
  expect(lineOf(error("x", 12))).toBe(12);
  expect(lineOf({ message: "x" })).toBeNull();
  expect(editorAddress("sales/load orders", 3, 12)).toBe("/editor?id=sales%2Fload+orders&version=3&line=12");
});

test("the error and the name of an event decide its tone before its status", () => {
  expect(toneOf(event("call.done"))).toBe("COMPLETED");
  expect(toneOf(event("command.started", { status: "RUNNING" }))).toBe("STARTED");
  expect(toneOf(event("call.error", { status: "COMPLETED" }))).toBe("FAILED");
  expect(toneOf(event("step.exit", { status: "FAILED" }))).toBe("FAILED");
});

test("the address keeps the filter, and what the log has in it", () => {
  const filter = { type: "call.error", step: "load orders", text: "503" };
  const address = withEventFilter(new URLSearchParams("step=load"), filter);
  expect(eventFilterIn(new URLSearchParams(address.toString()))).toEqual(filter);
  expect(withEventFilter(address, { type: "", step: "", text: "" }).toString()).toBe("step=load");
});
