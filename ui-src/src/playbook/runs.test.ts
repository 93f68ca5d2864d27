// The runs of a playbook together.
import { expect, test } from "vitest";
import { runBars, summaryOf, type Run } from "./runs";

const run = (execution_id: string, status: Run["status"], duration_seconds: number | null): Run => ({
  execution_id,
  status,
  start_time: "2026-11-23T11:50:00.000Z",
  duration_seconds,
});

test("bars are as high as runs took long, oldest first", () => {
  const bars = runBars([run("3", "RUNNING", null), run("2", "FAILED", 5), run("1", "COMPLETED", 10)]);
  expect(bars.map(({ run, height }) => [run.execution_id, height])).toEqual([
    ["1", 1],
    ["2", 0.5],
    ["3", 1],
  ]);
  expect(runBars([run("1", "COMPLETED", 0.001), run("2", "COMPLETED", 100)])[1]?.height).toBe(0.06);
  expect(runBars([])).toEqual([]);
});

test("the share that completed and the median are told of runs that have ended by themselves", () => {
  expect(summaryOf([run("1", "RUNNING", null), run("2", "CANCELLED", 3)])).toBe("No run has ended yet.");
  const runs = [
    run("1", "COMPLETED", 1),
    run("2", "COMPLETED", 3),
    run("3", "COMPLETED", 100),
    run("4", "FAILED", 9),
    run("5", "CANCELLED", 9),
  ];
  expect(summaryOf(runs)).toBe("3 of 4 runs completed (75.0 %), half of them within 3.0 s.");
  expect(summaryOf([run("1", "FAILED", 1)])).toBe("0 of 1 run completed (0 %).");
});
