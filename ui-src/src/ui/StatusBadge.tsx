// A status as a coloured badge, whose shape and text do not depend on colour vision.
import type { EventStatus, StepStatus } from "../api/schema";

/** The status of an execution, a step or an event. */
export type Status = StepStatus | EventStatus;

const WORDS: Record<Status, string> = {
  STARTED: "Started",
  PENDING: "Pending",
  RUNNING: "Running",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
  SKIPPED: "Skipped",
};

export function statusWord(status: Status): string {
  return WORDS[status];
}

export function StatusBadge({ status }: { status: Status }) {
  return (
    <span className="badge" data-status={status}>
      <StatusIcon status={status} />
      {statusWord(status)}
    </span>
  );
}

export function StatusIcon({ status }: { status: Status }) {
  return (
    <svg className="status-icon" data-status={status} viewBox="0 0 12 12" aria-hidden="true">
      {shapeOf(status)}
    </svg>
  );
}

function shapeOf(status: Status) {
  switch (status) {
    case "COMPLETED":
      return <path d="M2.5 6.5 5 9l4.5-6" />;
    case "FAILED":
      return <path d="m3 3 6 6M9 3 3 9" />;
    case "CANCELLED":
      return <path d="M3 6h6" />;
    case "RUNNING":
      return <path className="turning" d="M6 1.75a4.25 4.25 0 1 1-4.25 4.25" />;
    case "SKIPPED":
      return <path d="m3 3 3 3-3 3M6.5 3l3 3-3 3" />;
    case "STARTED":
    case "PENDING":
      return <circle cx="6" cy="6" r="3.75" />;
  }
}
