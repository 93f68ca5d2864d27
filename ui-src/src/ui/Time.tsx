// A time relative to now, and a duration that is updated while it runs; the tooltips have the exact times.
import { useNow } from "./clock";
import { elapsedSeconds, formatDateTime, formatDuration, formatRelative } from "./format";

export function Ago({ time }: { time: string | null | undefined }) {
  const now = useNow();
  if (time === null || time === undefined) return <>–</>;
  return (
    <time dateTime={time} title={formatDateTime(time)}>
      {formatRelative(time, now)}
    </time>
  );
}

export function Elapsed({
  start,
  end,
  seconds,
}: {
  start: string;
  end: string | null;
  seconds?: number | null;
}) {
  if (end === null) return <Running start={start} />;
  return <>{formatDuration(seconds ?? elapsedSeconds(start, end, 0))}</>;
}

function Running({ start }: { start: string }) {
  const now = useNow();
  const seconds = elapsedSeconds(start, null, now);
  // Tenths of a second would flicker.
  return <>{formatDuration(seconds === null ? null : Math.max(1, Math.floor(seconds)))}</>;
}
