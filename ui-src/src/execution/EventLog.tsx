// The filtered event log. Only visible rows are in the document; each row expands to its payloads.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import type { ExecutionEvent } from "../api/schema";
import { count } from "../ui/format";
import { Empty } from "../ui/notices";
import { SearchField } from "../ui/SearchField";
import { EventRow } from "./EventRow";
import { NO_FILTER, select, stepsOf, typesOf, type EventFilter } from "./events";

const ROW_HEIGHT = 36;

interface Props {
  events: readonly ExecutionEvent[];
  filter: EventFilter;
  setFilter: (filter: EventFilter) => void;
  isRunning: boolean;
}

export function EventLog({ events, filter, setFilter, isRunning }: Props) {
  const shown = useMemo(() => select(events, filter), [events, filter]);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => shown[index]?.event_id ?? index,
    overscan: 15,
  });

  function toggle(id: string) {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  }

  return (
    <>
      <EventFilters events={events} filter={filter} setFilter={setFilter} shown={shown.length} />
      {shown.length === 0 ? (
        <NoEvents
          isFiltered={events.length > 0}
          isRunning={isRunning}
          clear={() => {
            setFilter(NO_FILTER);
          }}
        />
      ) : (
        <div className="event-scroll" ref={scroller} tabIndex={0} role="region" aria-label="Event log">
          <ol className="events" style={{ height: virtualizer.getTotalSize() }}>
            {virtualizer.getVirtualItems().map((item) => {
              const event = shown[item.index];
              if (event === undefined) return null;
              return (
                <li
                  key={item.key}
                  ref={virtualizer.measureElement}
                  data-index={item.index}
                  aria-posinset={item.index + 1}
                  aria-setsize={shown.length}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <EventRow
                    event={event}
                    isOpen={open.has(event.event_id)}
                    toggle={() => {
                      toggle(event.event_id);
                    }}
                  />
                </li>
              );
            })}
          </ol>
        </div>
      )}
    </>
  );
}

function EventFilters({ events, filter, setFilter, shown }: Omit<Props, "isRunning"> & { shown: number }) {
  const types = useMemo(() => typesOf(events), [events]);
  const steps = useMemo(() => stepsOf(events), [events]);
  return (
    <search className="toolbar">
      <SearchField
        label="Search the events"
        value={filter.text}
        onChange={(value) => {
          setFilter({ ...filter, text: value });
        }}
      />
      <label>
        <span className="visually-hidden">Event type</span>
        <select
          value={filter.type}
          onChange={(event) => {
            setFilter({ ...filter, type: event.target.value });
          }}
        >
          <option value="">Any type</option>
          {types.map((type) => (
            <option key={type}>{type}</option>
          ))}
        </select>
      </label>
      <label>
        <span className="visually-hidden">Step</span>
        <select
          value={filter.step}
          onChange={(event) => {
            setFilter({ ...filter, step: event.target.value });
          }}
        >
          <option value="">Any step</option>
          {/* A step selected in the flow may have no events yet. */}
          {[...new Set([...steps, ...(filter.step === "" ? [] : [filter.step])])].map((step) => (
            <option key={step}>{step}</option>
          ))}
        </select>
      </label>
      <span className="muted" role="status">
        {shown === events.length
          ? count(events.length, "event")
          : `${shown.toLocaleString("en")} of ${count(events.length, "event")}`}
      </span>
    </search>
  );
}

function NoEvents({
  isFiltered,
  isRunning,
  clear,
}: {
  isFiltered: boolean;
  isRunning: boolean;
  clear: () => void;
}) {
  if (!isFiltered) {
    return (
      <Empty title="No event yet">{isRunning && "They appear here as the execution takes its steps."}</Empty>
    );
  }
  return (
    <Empty title="No event matches">
      <button type="button" className="button-plain" onClick={clear}>
        Show all events
      </button>
    </Empty>
  );
}
