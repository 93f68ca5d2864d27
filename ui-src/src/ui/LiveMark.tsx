// Shows whether the page receives pushed events.
import type { StreamState } from "../live/stream";

const WORDS: Record<StreamState, string> = {
  connecting: "Connecting",
  open: "Live",
  asking: "Asking every 5 s",
  waiting: "Reconnecting",
  closed: "Ended",
};

export function LiveMark({ state }: { state: StreamState }) {
  return (
    <span className="live" data-state={state}>
      {WORDS[state]}
    </span>
  );
}
