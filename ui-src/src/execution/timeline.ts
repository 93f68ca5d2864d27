// The steps of an execution as bars on a time axis: the rows, their start and end. Pure.
import type { StepStatus, TimelineStep } from "../api/schema";
import { formatDuration } from "../ui/format";
import { statusWord } from "../ui/StatusBadge";
import { labelOf } from "./log";

/** With more bars, the iterations of a loop share one bar. */
export const ROW_LIMIT = 60;
/** In pixels. */
export const ROW_HEIGHT = 28;

export interface Bar {
  step: string;
  label: string;
  /** The index of the loop's item; null when the bar stands for several. */
  item: number | null;
  status: StepStatus;
  startSeconds: number;
  endSeconds: number;
  /** The number of iterations or attempts that the bar represents. */
  count: number;
}

const WORST: readonly StepStatus[] = ["FAILED", "RUNNING", "CANCELLED", "PENDING", "COMPLETED", "SKIPPED"];

export function barsOf(steps: readonly TimelineStep[], start: string, now: number): Bar[] {
  const zero = steps.reduce((least, step) => Math.min(least, Date.parse(step.start_time)), Date.parse(start));
  const seconds = (time: number) => Math.max(0, (time - zero) / 1000);
  const bars = steps.map((step): Bar => {
    const from = seconds(Date.parse(step.start_time));
    const to = step.end_time === null ? seconds(now) : seconds(Date.parse(step.end_time));
    return {
      step: step.step,
      label: labelOf({ step: step.step, item: step.iteration, attempt: step.attempt }),
      item: step.iteration,
      status: step.status,
      startSeconds: from,
      endSeconds: Math.max(from, to),
      count: 1,
    };
  });
  bars.sort((a, b) => a.startSeconds - b.startSeconds);
  return bars.length > ROW_LIMIT ? groupBySteps(bars) : bars;
}

/** Groups the bars by step, from the first start to the last end, with the worst of their states. */
function groupBySteps(bars: readonly Bar[]): Bar[] {
  const groups = new Map<string, Bar>();
  for (const bar of bars) {
    const group = groups.get(bar.step);
    if (group === undefined) {
      groups.set(bar.step, { ...bar, label: bar.step, item: null });
      continue;
    }
    group.count += 1;
    group.label = `${bar.step} ×${group.count}`;
    group.endSeconds = Math.max(group.endSeconds, bar.endSeconds);
    if (WORST.indexOf(bar.status) < WORST.indexOf(group.status)) group.status = bar.status;
  }
  return [...groups.values()];
}

export function describeBar({ status, startSeconds, endSeconds }: Bar): string {
  return `${statusWord(status)}, from ${formatDuration(startSeconds)}, took ${formatDuration(endSeconds - startSeconds)}`;
}
