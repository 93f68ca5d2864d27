// The runs of a playbook as bars, and what they say together. Pure.
import type { CatalogRun, Execution } from "../api/schema";
import { count, formatDuration, formatPercent } from "../ui/format";

/** What is shown of a run. */
export type Run = Pick<Execution, "execution_id" | "status" | "start_time" | "duration_seconds"> & CatalogRun;

export interface RunBar {
  run: Run;
  /** From 0 to 1, relative to the longest run. A run that has not ended has the whole height. */
  height: number;
}

/** The lowest bar, so that a very short run is seen. */
const LEAST = 0.06;

/** Returns the bars of runs that are given newest first, oldest first. */
export function runBars(runs: readonly Run[]): RunBar[] {
  const longest = runs.reduce((most, { duration_seconds }) => Math.max(most, duration_seconds ?? 0), 0);
  const bar = (run: Run): RunBar => {
    const seconds = run.duration_seconds;
    return { run, height: seconds === null || longest === 0 ? 1 : Math.max(LEAST, seconds / longest) };
  };
  return runs.map(bar).reverse();
}

/** Returns a text such as `48 of 50 runs completed (96.0 %), half of them within 3.1 s`. */
export function summaryOf(runs: readonly Run[]): string {
  const ended = runs.filter(({ status }) => status === "COMPLETED" || status === "FAILED");
  const completed = ended.filter(({ status }) => status === "COMPLETED");
  if (ended.length === 0) return "No run has ended yet.";
  const share = formatPercent(completed.length / ended.length);
  const text = `${completed.length} of ${count(ended.length, "run")} completed (${share})`;
  const seconds = completed.flatMap(({ duration_seconds }) => duration_seconds ?? []).sort((a, b) => a - b);
  const median = seconds[Math.floor((seconds.length - 1) / 2)];
  return median === undefined ? `${text}.` : `${text}, half of them within ${formatDuration(median)}.`;
}
