// The page of an execution: history, then the stream after the last known event, until the end; errors with their
// places, and payloads as text.
import { act, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import type { ExecutionEvent } from "../api/schema";
import { EXECUTION } from "../executions/filter.test";
import { FakeEventSource, json, renderAt, RUNNING, serve } from "../testing";

vi.mock("../charts/Canvas", () => ({ default: () => null }));
vi.mock("../graph/FlowGraph", () => ({
  default: ({ states }: { states: object }) => <output>{JSON.stringify(states)}</output>,
}));

const ID = EXECUTION.execution_id;
const base = `/api/executions/${ID}`;
const NODE = {
  id: "fetch",
  label: "fetch",
  description: null,
  kind: "step",
  tools: ["http"],
  line: 3,
  entry: true,
  loop: null,
};
const event = (event_id: string, event_type: string, more: Partial<ExecutionEvent> = {}): ExecutionEvent => ({
  event_id,
  execution_id: ID,
  catalog_id: "1",
  event_type,
  node_id: null,
  node_name: "fetch",
  status: "RUNNING",
  created_at: "2026-11-23T11:50:00.000Z",
  timestamp: "2026-11-23T11:50:00.000Z",
  context: null,
  result: null,
  error: null,
  meta: {},
  duration: null,
  parent_event_id: null,
  parent_execution_id: null,
  ...more,
});
const running = { ...EXECUTION, status: "RUNNING", end_time: null, duration_seconds: null, error: null };
let answers: Record<string, () => Response>;

beforeEach(() => {
  // happy-dom has no layout, and a list without height renders no rows.
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(800);
  answers = {
    ...RUNNING,
    "/api/executions": () => json([]),
    [base]: () => json(running),
    [`${base}/graph`]: () =>
      json({ nodes: [NODE], edges: [], states: { fetch: { status: "RUNNING", count: 1 } } }),
    [`${base}/timeline`]: () => json({ execution_id: ID, steps: [] }),
    [`${base}/events?limit=500`]: () =>
      json({ events: [event("11", "step.enter")], last_event_id: "11", status: "RUNNING" }),
    [`${base}/events?after=11&limit=500`]: () => json({ events: [], last_event_id: null, status: "RUNNING" }),
  };
});

test("continues with the stream after the history, and stops at the end of the run", async () => {
  serve(answers);
  renderAt(`/execution/${ID}?tab=events`);
  expect(await screen.findByText("step.enter", { selector: ".event-type" })).toBeTruthy();
  await waitFor(() => {
    expect(FakeEventSource.at(base).url).toBe(`${base}/stream?after=11`);
  });
  const stream = FakeEventSource.at(base);
  Object.assign(answers, {
    [base]: () => json({ ...running, status: "COMPLETED", end_time: "2026-11-23T11:51:00.000Z" }),
    [`${base}/graph`]: () =>
      json({ nodes: [NODE], edges: [], states: { fetch: { status: "COMPLETED", count: 1 } } }),
    [`${base}/status`]: () => json({ status: "COMPLETED", result: { rows: 42 }, variables: {} }),
  });
  act(() => {
    stream.send("event", event("12", "call.done", { status: "COMPLETED", result: "<b>text</b>" }));
    stream.send("status", { execution_id: ID, status: "COMPLETED" });
  });
  expect(await screen.findByText("call.done", { selector: ".event-type" })).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Run again …" })).toBeTruthy();
  expect(await screen.findByText(/"rows": 42/)).toBeTruthy();
  expect(screen.getByText('{"fetch":{"status":"COMPLETED","count":1}}')).toBeTruthy();
  await waitFor(() => {
    expect(stream.isClosed).toBe(true);
  });
});

test("an error is shown first, with a link to its line", async () => {
  const error = {
    kind: "http",
    message: "HTTP 503",
    retryable: true,
    place: { file: "x", line: 20, column: 5, step: "fetch", field: "tool.url" },
  };
  serve({
    ...answers,
    [base]: () => json(EXECUTION),
    [`${base}/status`]: () => json({ status: "FAILED", result: null, variables: {} }),
    [`${base}/events?limit=500`]: () =>
      json({ events: [event("11", "call.error", { error })], last_event_id: "11", status: "FAILED" }),
  });
  renderAt(`/execution/${ID}`);
  const why = within(await screen.findByRole("region", { name: "Why it failed" }));
  await waitFor(() => {
    expect(why.getByText("HTTP 503")).toBeTruthy();
    const link = why.getByRole("link", { name: "Open the playbook at line 20" });
    expect(link.getAttribute("href")).toBe("/editor?id=sales%2FLoad_Orders&version=3&line=20");
  });
  expect(FakeEventSource.all.some(({ url }) => url.startsWith(base))).toBe(false);
});

test("a row expands to its payloads", async () => {
  const html = event("11", "call.done", { result: { html: "<img src=x onerror=alert(1)>" } });
  serve({
    ...answers,
    [`${base}/events?limit=500`]: () => json({ events: [html], last_event_id: "11", status: "RUNNING" }),
  });
  renderAt(`/execution/${ID}?tab=events`);
  const row = await screen.findByRole("button", { name: /call\.done/ });
  await userEvent.click(row);
  expect(row.getAttribute("aria-expanded")).toBe("true");
  expect(screen.getByRole("region", { name: "result of event 11" }).textContent).toContain("<img src=x");
  expect(document.querySelector("img")).toBeNull();
});

test("an unknown execution has a message with help", async () => {
  serve({ ...RUNNING, [base]: () => json({ detail: "Execution not found" }, 404) });
  renderAt(`/execution/${ID}`);
  expect(await screen.findByText("Execution not found (HTTP 404)")).toBeTruthy();
  expect(screen.getByRole("link", { name: "All executions" })).toBeTruthy();
});

test("a step opens with its input, output and traceback, and the address names it", async () => {
  const error = {
    kind: "python",
    message: "KeyError: 'x' (line 2 of the step's code)",
    retryable: false,
    result: { traceback: "Traceback (most recent call last)" },
    place: { file: "x", line: 21, column: 0 },
  };
  const failed = [
    event("11", "command.issued", { node_id: "1:fetch:1", context: { tool: "python", attempt: 1 } }),
    event("12", "command.claimed", { node_id: "1:fetch:1", context: { worker_id: "w1" } }),
    event("13", "call.error", {
      node_id: "1:fetch:1",
      context: { attempt: 1, input: { args: { deep: { n: 7 } } } },
      error,
    }),
  ];
  serve({
    ...answers,
    [base]: () => json(EXECUTION),
    [`${base}/status`]: () => json({ status: "FAILED", result: null, variables: {} }),
    [`${base}/events?limit=500`]: () => json({ events: failed, last_event_id: "13", status: "FAILED" }),
    [`${base}/events?after=13&limit=500`]: () => json({ events: [], last_event_id: null, status: "FAILED" }),
  });
  renderAt(`/execution/${ID}`);
  await userEvent.click(await screen.findByRole("button", { name: "step fetch" }));
  const panel = within(await screen.findByRole("region", { name: "Step fetch" }));
  expect(panel.getByText("w1")).toBeTruthy();
  expect(panel.getByRole("region", { name: "Traceback" }).textContent).toContain("Traceback (most");
  expect(panel.getByRole("link", { name: "Open the playbook at line 21" })).toBeTruthy();
  await userEvent.click(panel.getByText("args"));
  await userEvent.click(panel.getByText("deep"));
  expect(panel.getByRole("group", { name: "Input" }).textContent).toContain("n: 7");
  await userEvent.click(panel.getByRole("button", { name: "As text" }));
  expect(panel.getByRole("region", { name: "Input" }).textContent).toContain('"n": 7');
  await userEvent.click(panel.getByRole("button", { name: "Close the step" }));
  expect(screen.queryByRole("region", { name: "Step fetch" })).toBeNull();
});

test("tabs are moved between with the arrow keys", async () => {
  serve(answers);
  renderAt(`/execution/${ID}`);
  const log = await screen.findByRole("tab", { name: "Log" });
  expect(log.getAttribute("aria-selected")).toBe("true");
  log.focus();
  await userEvent.keyboard("{ArrowRight}");
  expect(await screen.findByText("step.enter", { selector: ".event-type" })).toBeTruthy();
  expect(document.activeElement?.textContent).toBe("Events");
});
