// The steps of an execution as bars on a time axis: the rows, their start and end. Pure.
import type { ChartConfiguration } from "chart.js";
import type { StepStatus, TimelineStep } from "../api/schema";
import type { Palette } from "../charts/palette";
import { axisName } from "../dashboard/series";
import { formatDuration } from "../ui/format";
import { statusWord } from "../ui/StatusBadge";

/** With more bars, the iterations of a loop share one bar. */
export const ROW_LIMIT = 60;
export const ROW_HEIGHT = 26;

export interface Bar {
  step: string;
  label: string;
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
      label: labelOf(step),
      status: step.status,
      startSeconds: from,
      endSeconds: Math.max(from, to),
      count: 1,
    };
  });
  bars.sort((a, b) => a.startSeconds - b.startSeconds);
  return bars.length > ROW_LIMIT ? groupBySteps(bars) : bars;
}

/** Returns the label of a bar. Iterations are shown from 1; the engine counts from 0. */
function labelOf({ step, iteration, attempt }: TimelineStep): string {
  const round = iteration === null ? "" : ` #${iteration + 1}`;
  return `${step}${round}${attempt > 1 ? ` (attempt ${attempt})` : ""}`;
}

/** Groups the bars by step, from the first start to the last end, with the worst of their states. */
function groupBySteps(bars: readonly Bar[]): Bar[] {
  const groups = new Map<string, Bar>();
  for (const bar of bars) {
    const group = groups.get(bar.step);
    if (group === undefined) {
      groups.set(bar.step, { ...bar, label: bar.step });
      continue;
    }
    group.count += 1;
    group.label = `${bar.step} ×${group.count}`;
    group.endSeconds = Math.max(group.endSeconds, bar.endSeconds);
    if (WORST.indexOf(bar.status) < WORST.indexOf(group.status)) group.status = bar.status;
  }
  return [...groups.values()];
}

export function timelineChart(bars: readonly Bar[], palette: Palette): ChartConfiguration {
  return {
    type: "bar",
    data: {
      labels: bars.map(({ label }) => axisName(label)),
      datasets: [
        {
          label: "Step",
          data: bars.map(({ startSeconds, endSeconds }): [number, number] => [startSeconds, endSeconds]),
          backgroundColor: bars.map(({ status }) => palette[status]),
          borderRadius: 3,
          borderSkipped: false,
          barThickness: 14,
          // A very short step must stay visible.
          minBarLength: 3,
        },
      ],
    },
    options: {
      indexAxis: "y",
      interaction: { mode: "nearest", axis: "y", intersect: false },
      scales: {
        x: {
          min: 0,
          position: "top",
          border: { display: false },
          ticks: { maxTicksLimit: 6, maxRotation: 0, callback: (value) => formatDuration(Number(value)) },
        },
        y: { grid: { display: false }, ticks: { autoSkip: false } },
      },
      plugins: {
        tooltip: {
          callbacks: {
            label: ({ dataIndex }) => {
              const bar = bars[dataIndex];
              return bar === undefined ? "" : ` ${describeBar(bar)}`;
            },
          },
        },
      },
    },
  };
}

export function describeBar({ status, startSeconds, endSeconds }: Bar): string {
  return `${statusWord(status)}, from ${formatDuration(startSeconds)}, took ${formatDuration(endSeconds - startSeconds)}`;
}
