// The calls of an execution on a time axis, each a button that opens its step. Bars of running calls grow with the
// clock.
import { useMemo } from "react";
import type { TimelineStep } from "../api/schema";
import { useNow } from "../ui/clock";
import { formatDuration } from "../ui/format";
import { Empty } from "../ui/notices";
import { RowList } from "../ui/RowList";
import { StatusIcon } from "../ui/StatusBadge";
import { barsOf, describeBar, ROW_HEIGHT, type Bar } from "./timeline";

interface Props {
  steps: readonly TimelineStep[];
  start: string;
  isRunning: boolean;
  selected: string;
  onSelect: (step: string, item: number | null) => void;
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

function Bars({ steps, start, now, selected, onSelect }: Props & { now: number }) {
  const bars = useMemo(() => barsOf(steps, start, now), [steps, start, now]);
  const whole = bars.reduce((most, { endSeconds }) => Math.max(most, endSeconds), 0);
  return (
    <>
      <p className="timeline-axis" aria-hidden="true">
        <span>{formatDuration(0)}</span>
        <span>{formatDuration(whole / 2)}</span>
        <span>{formatDuration(whole)}</span>
      </p>
      <RowList
        label="Calls by their start"
        rows={bars}
        rowHeight={ROW_HEIGHT}
        className="row-bar"
        keyOf={({ label, startSeconds }) => `${label} ${startSeconds}`}
        isCurrent={({ step }) => step === selected}
        choose={({ step, item }) => {
          onSelect(step, item);
        }}
        titleOf={describeBar}
      >
        {(bar) => <BarRow bar={bar} whole={whole} />}
      </RowList>
    </>
  );
}

function BarRow({ bar, whole }: { bar: Bar; whole: number }) {
  const share = (seconds: number) => (whole === 0 ? 0 : (100 * seconds) / whole);
  return (
    <>
      <StatusIcon status={bar.status} />
      <span className="row-label">
        <bdi>{bar.label}</bdi>
      </span>
      <span className="visually-hidden">, {describeBar(bar)}</span>
      <span className="bar-track" aria-hidden="true">
        <span
          className="bar"
          data-status={bar.status}
          style={{
            insetInlineStart: `${share(bar.startSeconds)}%`,
            width: `${share(bar.endSeconds - bar.startSeconds)}%`,
          }}
        />
      </span>
      <span className="bar-time" aria-hidden="true">
        {formatDuration(bar.endSeconds - bar.startSeconds)}
      </span>
    </>
  );
}
