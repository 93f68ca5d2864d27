// One event: a row that expands to its payloads.
import type { ExecutionEvent } from "../api/schema";
import { formatClock, formatDateTime, formatDuration } from "../ui/format";
import { Icon } from "../ui/Icon";
import { cut, LongText } from "../ui/LongText";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import { toneOf } from "./events";

const SUMMARY_LIMIT = 160;
const PAYLOADS = ["error", "result", "context", "meta"] as const;

interface Props {
  event: ExecutionEvent;
  isOpen: boolean;
  toggle: () => void;
}

export function EventRow({ event, isOpen, toggle }: Props) {
  const tone = toneOf(event);
  const details = `event-${event.event_id}`;
  return (
    <div className="event" data-open={isOpen}>
      <button
        type="button"
        className="event-line"
        aria-expanded={isOpen}
        aria-controls={details}
        onClick={toggle}
      >
        <Icon name="chevron" />
        <time dateTime={event.created_at} title={formatDateTime(event.created_at)}>
          {formatClock(event.created_at, "milliseconds")}
        </time>
        <StatusIcon status={tone} />
        <span className="visually-hidden">{statusWord(tone)}</span>
        <span className="event-type">{event.event_type}</span>
        <span className="event-step">
          <bdi>{event.node_name ?? ""}</bdi>
        </span>
        <span className="event-summary">
          <bdi>{summaryOf(event)}</bdi>
        </span>
        <span className="event-duration">
          {event.duration === null ? "" : formatDuration(event.duration)}
        </span>
      </button>
      {isOpen && (
        <div id={details} className="event-details">
          {PAYLOADS.filter((name) => !isBlank(event[name])).map((name) => (
            <section key={name} aria-label={name}>
              <h3>{name}</h3>
              <LongText value={event[name]} label={`${name} of event ${event.event_id}`} />
            </section>
          ))}
          <p className="muted">
            event <code>{event.event_id}</code>
            {event.node_id !== null && (
              <>
                , command <code>{event.node_id}</code>
              </>
            )}
          </p>
        </div>
      )}
    </div>
  );
}

function isBlank(value: unknown): boolean {
  return (
    value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0)
  );
}

/** Returns the message of the error, or a short result. */
function summaryOf({ error, result }: ExecutionEvent): string {
  if (error !== null) return cut(error.message, SUMMARY_LIMIT);
  if (typeof result === "string") return cut(result, SUMMARY_LIMIT);
  if (typeof result === "number" || typeof result === "boolean") return String(result);
  return "";
}
