// The three charts of the dashboard, each in a panel with a table of its data.
import { useCallback } from "react";
import type { Dashboard, ExecutionStatus } from "../api/schema";
import { ChartFrame } from "../charts/ChartFrame";
import type { Palette } from "../charts/palette";
import { formatDateTime, formatDuration, formatPercent } from "../ui/format";
import { Empty } from "../ui/notices";
import { executionsChart, rateChart, rateOf, slowestChart } from "./series";

const LEGEND: readonly (readonly [string, ExecutionStatus])[] = [
  ["Completed", "COMPLETED"],
  ["Failed", "FAILED"],
  ["Cancelled", "CANCELLED"],
  ["Running", "RUNNING"],
  ["Pending", "PENDING"],
];

export function Charts({ dashboard, hours }: { dashboard: Dashboard; hours: number }) {
  const { series, slowest_steps: slowest } = dashboard;
  const executions = useCallback(
    (palette: Palette) => executionsChart(series, hours, palette),
    [series, hours],
  );
  const rate = useCallback((palette: Palette) => rateChart(series, hours, palette), [series, hours]);
  const steps = useCallback((palette: Palette) => slowestChart(slowest, palette), [slowest]);
  return (
    <div className="chart-grid">
      <section className="panel chart-wide" aria-labelledby="over-time">
        <div className="panel-header">
          <h2 id="over-time">Executions over time</h2>
          <ul className="legend" aria-hidden="true">
            {LEGEND.map(([label, status]) => (
              <li key={status} data-status={status}>
                {label}
              </li>
            ))}
          </ul>
        </div>
        <ChartFrame
          configure={executions}
          label="Executions over time, by how they ended"
          height={240}
          columns={["From", "Completed", "Failed", "Cancelled", "Running", "Pending"]}
          rows={series.map(({ start, completed, failed, cancelled, running, pending }) => [
            formatDateTime(start),
            ...[completed, failed, cancelled, running, pending].map(String),
          ])}
        />
      </section>
      <section className="panel" aria-labelledby="rate">
        <h2 id="rate">Success rate</h2>
        {series.some((bucket) => rateOf(bucket) !== null) ? (
          <ChartFrame
            configure={rate}
            label="Share of executions that completed, over time"
            height={220}
            columns={["From", "Success rate"]}
            rows={series.map((bucket) => [formatDateTime(bucket.start), formatPercent(rateOf(bucket))])}
          />
        ) : (
          <Empty title="Nothing ended in this time">Choose a longer time range to see more.</Empty>
        )}
      </section>
      <section className="panel" aria-labelledby="slowest">
        <div className="panel-header">
          <h2 id="slowest">Slowest steps</h2>
          {slowest.length > 0 && (
            <ul className="legend" aria-hidden="true">
              <li data-series="average">Average</li>
              <li data-series="longest">Longest</li>
            </ul>
          )}
        </div>
        {slowest.length === 0 ? (
          <Empty title="No step ended in this time">Choose a longer time range to see more.</Empty>
        ) : (
          <ChartFrame
            configure={steps}
            label="Slowest steps, average and longest duration"
            height={Math.max(120, slowest.length * 36 + 40)}
            columns={["Step", "Playbook", "Times", "Average", "Longest"]}
            rows={slowest.map(({ step, path, count, avg_seconds, max_seconds }) => [
              step,
              path,
              String(count),
              formatDuration(avg_seconds),
              formatDuration(max_seconds),
            ])}
          />
        )}
      </section>
    </div>
  );
}
