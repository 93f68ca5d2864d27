// The dashboard: its numbers, its empty state, and that a pushed event refreshes the numbers.
import { act, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { EXECUTION } from "../executions/filter.test";
import { FakeEventSource, json, renderAt, RUNNING, serve } from "../testing";
import { axisName, executionsChart, rateOf } from "./series";

// The test environment has no canvas. The table has the same data.
vi.mock("../charts/Canvas", () => ({ default: () => null }));

const STATS = {
  total_executions: 120,
  successful_executions: 90,
  failed_executions: 10,
  cancelled_executions: 20,
  pending_executions: 0,
  running_executions: 1,
  queue_depth: 0,
  total_playbooks: 7,
  total_credentials: 2,
  workers: 1,
  success_rate: 0.9,
};
const BUCKET = { start: "2026-11-23T11:00:00.000Z", completed: 9, failed: 1, cancelled: 0, running: 0, pending: 0 };
const SLOW = { path: "a/b", step: "store", count: 3, avg_seconds: 4, max_seconds: 9 };
const FULL = {
  status: "ok",
  stats: STATS,
  series: [BUCKET],
  slowest_steps: [SLOW],
  running: [{ ...EXECUTION, status: "RUNNING", end_time: null, error: null, current_step: "fetch" }],
  recent_failures: [EXECUTION],
};
const EMPTY = {
  status: "ok",
  stats: { ...STATS, total_executions: 0, total_playbooks: 0, running_executions: 0, success_rate: null },
  series: [],
  slowest_steps: [],
  running: [],
  recent_failures: [],
};
const at = (body: object) => ({ ...RUNNING, "/api/dashboard/stats": () => json(body) });

test("shows the server's numbers, and its charts as tables for screen readers", async () => {
  serve(at(FULL));
  renderAt("/");
  expect(await screen.findByText("90.0 %", { selector: ".tile dd" })).toBeTruthy();
  const table = within(screen.getByRole("table", { name: "Executions over time, by how they ended" }));
  expect(
    table
      .getAllByRole("cell")
      .map(({ textContent }) => textContent)
      .slice(1),
  ).toEqual(["9", "1", "0", "0", "0"]);
  expect(
    within(screen.getByRole("region", { name: "Running now" })).getByText("sales/Load_Orders"),
  ).toBeTruthy();
  expect(within(screen.getByRole("region", { name: "Recent failures" })).getByText("HTTP 503")).toBeTruthy();
});

test("a new server shows the first steps", async () => {
  serve(at(EMPTY));
  renderAt("/");
  expect(await screen.findByText("No playbook yet")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Register a playbook" }).getAttribute("href")).toBe(
    "/catalog?register",
  );
});

test("a pushed event repeats the request, and another range changes it", async () => {
  const fetch = serve(at(FULL));
  renderAt("/");
  await screen.findByText("120");
  const asked = () => fetch.mock.calls.map(([path]) => path).filter((path) => path.includes("dashboard"));
  expect(asked()).toEqual(["/api/dashboard/stats?hours=24"]);
  act(() => {
    FakeEventSource.at("/api/executions/stream").send("execution", EXECUTION);
  });
  await waitFor(() => {
    expect(asked()).toHaveLength(2);
  });
  await userEvent.click(screen.getByRole("radio", { name: "7 days" }));
  await waitFor(() => {
    expect(asked().at(-1)).toBe("/api/dashboard/stats?hours=168");
  });
});

test("an error has a message and can be retried", async () => {
  const answers: Record<string, () => Response> = {
    ...RUNNING,
    "/api/dashboard/stats": () => json({ detail: "the store is locked", help: "stop the other server" }, 503),
  };
  serve(answers);
  renderAt("/");
  const alert = within(await screen.findByRole("alert"));
  expect(alert.getByText("the store is locked (HTTP 503)")).toBeTruthy();
  expect(alert.getByText("stop the other server")).toBeTruthy();
  Object.assign(answers, at(FULL));
  await userEvent.click(alert.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("120")).toBeTruthy();
});

test("a time without ended executions has no rate instead of zero", () => {
  expect(rateOf({ completed: 0, failed: 0 })).toBeNull();
  expect(rateOf({ completed: 0, failed: 2 })).toBe(0);
});

test("names on an axis are short and isolated", () => {
  expect(axisName("a\n b")).toBe("\u2068a b\u2069");
  expect(axisName("x".repeat(100)).length).toBeLessThan(30);
});

test("executions are stacked by their final status", () => {
  const palette = { COMPLETED: "g", FAILED: "r", CANCELLED: "v", RUNNING: "b", PENDING: "y" } as never;
  const { data, options } = executionsChart([BUCKET], 24, palette);
  expect(data.datasets.map(({ label, data }) => [label, data])).toEqual([
    ["Completed", [9]],
    ["Failed", [1]],
    ["Cancelled", [0]],
    ["Running", [0]],
    ["Pending", [0]],
  ]);
  expect(options?.scales?.y).toMatchObject({ stacked: true });
});
