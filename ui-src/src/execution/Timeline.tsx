// The steps of an execution on a time axis. Bars of running steps grow with the clock.
import { useCallback, useMemo } from "react";
import type { TimelineStep } from "../api/schema";
import { ChartFrame } from "../charts/ChartFrame";
import type { Palette } from "../charts/palette";
import { useNow } from "../ui/clock";
import { formatDuration } from "../ui/format";
import { Empty } from "../ui/notices";
import { statusWord } from "../ui/StatusBadge";
import { barsOf, ROW_HEIGHT, timelineChart } from "./timeline";

interface Props {
  steps: readonly TimelineStep[];
  start: string;
  isRunning: boolean;
}

export function Timeline(props: Props) {
  if (props.steps.length === 0) {
    return (
      <Empty title="No step has started">
        {props.isRunning
          ? "The first one appears here as soon as a worker takes it."
          : "It ended before any could."}
      </Empty>
    );
  }
  return props.isRunning ? <Growing {...props} /> : <Bars {...props} now={0} />;
}

function Growing(props: Props) {
  return <Bars {...props} now={useNow()} />;
}

function Bars({ steps, start, now }: Props & { now: number }) {
  const bars = useMemo(() => barsOf(steps, start, now), [steps, start, now]);
  const configure = useCallback((palette: Palette) => timelineChart(bars, palette), [bars]);
  return (
    <div className="timeline" tabIndex={0} role="group" aria-label="Timeline of the steps">
      <ChartFrame
        configure={configure}
        label="Timeline of the steps"
        height={bars.length * ROW_HEIGHT + 40}
        columns={["Step", "State", "From", "Took"]}
        rows={bars.map(({ label, status, startSeconds, endSeconds }) => [
          label,
          statusWord(status),
          formatDuration(startSeconds),
          formatDuration(endSeconds - startSeconds),
        ])}
      />
    </div>
  );
}
