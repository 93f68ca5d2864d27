// The calls of a step with a loop or with several runs: searchable, failed ones first. Only visible rows are in the
// document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { count, formatDuration } from "../ui/format";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import { listed, nameOf, type Call } from "./calls";

const ROW_HEIGHT = 34;
const ITEM_LIMIT = 60;

interface Props {
  calls: readonly Call[];
  chosen: Call;
  search: string;
  setSearch: (search: string) => void;
  choose: (call: Call) => void;
}

export function CallList({ calls, chosen, search, setSearch, choose }: Props) {
  const shown = useMemo(() => listed(calls, search), [calls, search]);
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  });
  return (
    <div className="calls">
      <label className="search-field">
        <span className="visually-hidden">Search the calls</span>
        <Icon name="search" />
        <input
          type="search"
          placeholder="Search the calls"
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
          }}
        />
      </label>
      <p className="muted">
        {summaryOf(calls)}
      </p>
      <div className="call-scroll" ref={scroller}>
        <ul className="call-rows" aria-label="Calls" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((row) => {
            const call = shown[row.index];
            if (call === undefined) return null;
            return (
              <li
                key={call.number}
                aria-posinset={row.index + 1}
                aria-setsize={shown.length}
                style={{ transform: `translateY(${row.start}px)` }}>
                <button
                  type="button"
                  className="call-row"
                  aria-current={call.number === chosen.number ? "true" : undefined}
                  onClick={() => {
                    choose(call);
                  }}
                >
                  <StatusIcon status={call.status} />
                  <span className="visually-hidden">{statusWord(call.status)}</span>
                  <span className="call-name">{nameOf(call)}</span>
                  <span className="call-item">
                    <bdi>{call.itemValue === undefined ? "" : cut(JSON.stringify(call.itemValue), ITEM_LIMIT)}</bdi>
                  </span>
                  <span className="muted">{call.seconds === null ? "" : formatDuration(call.seconds)}</span>
                </button>
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

/** Returns a text such as `40 calls: 2 failed, 30 completed, 8 running`. */
function summaryOf(calls: readonly Call[]): string {
  const statuses = ["FAILED", "RUNNING", "PENDING", "CANCELLED", "COMPLETED"] as const;
  const parts = statuses.flatMap((status) => {
    const number = calls.filter((call) => call.status === status).length;
    return number === 0 ? [] : [`${number.toLocaleString("en")} ${statusWord(status).toLowerCase()}`];
  });
  return `${count(calls.length, "call")}: ${parts.join(", ")}`;
}
