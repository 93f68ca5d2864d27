// The dashboard's numbers as charts: stacked bars, success rates, axis labels. Pure.
import type { ChartConfiguration } from "chart.js";
import type { DashboardBucket, SlowStep } from "../api/schema";
import type { Palette } from "../charts/palette";
import { cut } from "../ui/LongText";
import { formatClock, formatDate, formatDuration } from "../ui/format";

export const RANGES = [
  { hours: 1, label: "1 hour" },
  { hours: 24, label: "24 hours" },
  { hours: 168, label: "7 days" },
] as const;

const ISOLATE = "\u2068";
const POP_ISOLATE = "\u2069";
const NAME_LIMIT = 26;

/** Returns the label of a bucket: a time within one day, otherwise a date. */
export function bucketLabel(start: string, hours: number): string {
  return hours <= 24
    ? formatClock(start).slice(0, 5)
    : `${formatDate(start).slice(5)} ${formatClock(start).slice(0, 2)} h`;
}

/** Returns the share of ended executions that succeeded, or null if none have ended. */
export function rateOf({ completed, failed }: Pick<DashboardBucket, "completed" | "failed">): number | null {
  const ended = completed + failed;
  return ended === 0 ? null : completed / ended;
}

/** Returns a short axis label, isolated, since a name may have bidirectional control characters. */
export function axisName(name: string): string {
  const line = name.replace(/\s+/g, " ");
  const short = line.length > NAME_LIMIT ? `${cut(line, NAME_LIMIT - 1)}…` : line;
  return `${ISOLATE}${short}${POP_ISOLATE}`;
}

type Count = "completed" | "failed" | "cancelled" | "running" | "pending";

export function executionsChart(
  series: readonly DashboardBucket[],
  hours: number,
  palette: Palette,
): ChartConfiguration {
  const stack = (label: string, key: Count, colour: string) => ({
    label,
    data: series.map((bucket) => bucket[key]),
    backgroundColor: colour,
    borderRadius: 2,
    maxBarThickness: 28,
    categoryPercentage: 0.85,
    barPercentage: 0.95,
  });
  return {
    type: "bar",
    data: {
      labels: series.map(({ start }) => bucketLabel(start, hours)),
      datasets: [
        stack("Completed", "completed", palette.COMPLETED),
        stack("Failed", "failed", palette.FAILED),
        stack("Cancelled", "cancelled", palette.CANCELLED),
        stack("Running", "running", palette.RUNNING),
        stack("Pending", "pending", palette.PENDING),
      ],
    },
    options: {
      scales: {
        x: { stacked: true, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
        y: {
          stacked: true,
          beginAtZero: true,
          border: { display: false },
          ticks: { precision: 0, maxTicksLimit: 5 },
        },
      },
    },
  };
}

export function rateChart(
  series: readonly DashboardBucket[],
  hours: number,
  palette: Palette,
): ChartConfiguration {
  return {
    type: "line",
    data: {
      labels: series.map(({ start }) => bucketLabel(start, hours)),
      datasets: [
        {
          label: "Success rate",
          data: series.map((bucket) => {
            const rate = rateOf(bucket);
            return rate === null ? null : rate * 100;
          }),
          borderColor: palette.accent,
          backgroundColor: palette.accent,
          borderWidth: 2,
          pointRadius: 3,
          // The line skips times without ended executions, which have no rate.
          spanGaps: true,
        },
      ],
    },
    options: {
      scales: {
        x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
        y: {
          min: 0,
          max: 100,
          border: { display: false },
          ticks: { stepSize: 25, callback: (value) => `${value} %` },
        },
      },
      plugins: {
        tooltip: { callbacks: { label: ({ parsed }) => ` ${(parsed.y ?? 0).toFixed(1)} % succeeded` } },
      },
    },
  };
}

export function slowestChart(steps: readonly SlowStep[], palette: Palette): ChartConfiguration {
  return {
    type: "bar",
    data: {
      // The playbook is added, since many have a step `start`.
      labels: steps.map(({ step, path }) => [axisName(step), axisName(path.split("/").at(-1) ?? path)]),
      datasets: [
        {
          label: "Average",
          data: steps.map(({ avg_seconds }) => avg_seconds),
          backgroundColor: palette.accent,
          borderRadius: 2,
          maxBarThickness: 10,
        },
        {
          label: "Longest",
          data: steps.map(({ max_seconds }) => max_seconds),
          backgroundColor: palette.PENDING,
          borderRadius: 2,
          maxBarThickness: 10,
        },
      ],
    },
    options: {
      indexAxis: "y",
      scales: {
        x: {
          beginAtZero: true,
          border: { display: false },
          ticks: { maxTicksLimit: 5, callback: (value) => formatDuration(Number(value)) },
        },
        y: { grid: { display: false } },
      },
      plugins: {
        tooltip: {
          callbacks: {
            title: ([item]) => {
              const step = steps[item?.dataIndex ?? -1];
              return step === undefined ? "" : `${axisName(step.step)} in ${axisName(step.path)}`;
            },
            label: ({ dataset, parsed }) => ` ${dataset.label ?? ""}: ${formatDuration(parsed.x)}`,
          },
        },
      },
    },
  };
}
