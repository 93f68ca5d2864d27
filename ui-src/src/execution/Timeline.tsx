// The calls of an execution on a time axis, each a button that opens its step. Bars of running calls grow with the
// clock. Only visible rows are in the document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { TimelineStep } from "../api/schema";
import { useNow } from "../ui/clock";
import { formatDuration } from "../ui/format";
import { Empty } from "../ui/notices";
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
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: bars.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  });
  return (
    <>
      <p className="timeline-axis" aria-hidden="true">
        <span>{formatDuration(0)}</span>
        <span>{formatDuration(whole / 2)}</span>
        <span>{formatDuration(whole)}</span>
      </p>
      <div className="timeline" ref={scroller}>
        <ol className="bars" aria-label="Calls by their start" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((row) => {
            const bar = bars[row.index];
            if (bar === undefined) return null;
            return (
              <li
                key={row.key}
                aria-posinset={row.index + 1}
                aria-setsize={bars.length}
                style={{ transform: `translateY(${row.start}px)` }}>
                <BarRow bar={bar} whole={whole} isSelected={bar.step === selected} onSelect={onSelect} />
              </li>
            );
          })}
        </ol>
      </div>
    </>
  );
}

interface RowProps {
  bar: Bar;
  whole: number;
  isSelected: boolean;
  onSelect: Props["onSelect"];
}

function BarRow({ bar, whole, isSelected, onSelect }: RowProps) {
  const share = (seconds: number) => (whole === 0 ? 0 : (100 * seconds) / whole);
  return (
    <button
      type="button"
      className="bar-row"
      title={describeBar(bar)}
      aria-current={isSelected ? "true" : undefined}
      onClick={() => {
        onSelect(bar.step, bar.item);
      }}
    >
      <StatusIcon status={bar.status} />
      <span className="bar-label">
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
    </button>
  );
}
