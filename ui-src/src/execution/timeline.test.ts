// The steps of an execution as bars: start, length, and grouping of many bars.
import { expect, test } from "vitest";
import type { TimelineStep } from "../api/schema";
import { barsOf, describeBar, ROW_LIMIT } from "./timeline";

const START = "2026-11-23T12:00:00.000Z";
const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1000).toISOString();
const step = (
  name: string,
  from: number,
  to: number | null,
  more: Partial<TimelineStep> = {},
): TimelineStep => ({
  step: name,
  iteration: null,
  attempt: 1,
  status: to === null ? "RUNNING" : "COMPLETED",
  start_time: at(from),
  end_time: to === null ? null : at(to),
  duration_seconds: null,
  worker_id: null,
  error: null,
  ...more,
});

test("bars are in the order of their start, in seconds from the start of the run", () => {
  const bars = barsOf([step("b", 2, 5), step("a", 0.5, 2)], START, 0);
  expect(bars.map(({ label, startSeconds, endSeconds }) => [label, startSeconds, endSeconds])).toEqual([
    ["a", 0.5, 2],
    ["b", 2, 5],
  ]);
});

test("a running bar ends now, and clock differences give no negative bars", () => {
  const now = Date.parse(at(9));
  expect(barsOf([step("a", 1, null)], START, now)[0]).toMatchObject({ startSeconds: 1, endSeconds: 9 });
  expect(barsOf([step("a", 3, 2)], START, now)[0]).toMatchObject({ startSeconds: 3, endSeconds: 3 });
});

test("iterations and attempts have the labels of the log", () => {
  const bars = barsOf(
    [step("a", 0, 1, { iteration: 0 }), step("a", 1, 2, { iteration: 1, attempt: 2 })],
    START,
    0,
  );
  expect(bars.map(({ label }) => label)).toEqual(["a[0]", "a[1] #2"]);
});

test("the iterations of a long loop share a bar with the worst of their states", () => {
  const rounds = Array.from({ length: ROW_LIMIT + 5 }, (_, iteration) =>
    step("each", iteration, iteration + 1, iteration === 7 ? { iteration, status: "FAILED" } : { iteration }),
  );
  const bars = barsOf([...rounds, step("end", 70, 71)], START, 0);
  expect(bars).toEqual([
    { step: "each", label: "each ×65", item: null, status: "FAILED", startSeconds: 0, endSeconds: 65, count: 65 },
    { step: "end", label: "end", item: null, status: "COMPLETED", startSeconds: 70, endSeconds: 71, count: 1 },
  ]);
});

test("a bar has a description in words", () => {
  const [bar] = barsOf([step("a", 1, 3.5)], START, 0);
  expect(bar && describeBar(bar)).toBe("Completed, from 1.0 s, took 2.5 s");
});
