// The calls of a step with a loop or with several runs: searchable, failed ones first.
import { useMemo } from "react";
import { count, formatDuration } from "../ui/format";
import { cut } from "../ui/LongText";
import { RowList } from "../ui/RowList";
import { SearchField } from "../ui/SearchField";
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
  return (
    <div className="calls">
      <SearchField label="Search the calls" value={search} onChange={setSearch} />
      <p className="muted">{summaryOf(calls)}</p>
      <RowList
        label="Calls"
        rows={shown}
        rowHeight={ROW_HEIGHT}
        className="row-named"
        keyOf={({ number }) => number}
        isCurrent={({ number }) => number === chosen.number}
        choose={choose}
      >
        {(call) => (
          <>
            <StatusIcon status={call.status} />
            <span className="visually-hidden">{statusWord(call.status)}</span>
            <span className="row-label">{nameOf(call)}</span>
            <span className="row-detail">
              <bdi>{call.itemValue === undefined ? "" : cut(JSON.stringify(call.itemValue), ITEM_LIMIT)}</bdi>
            </span>
            <span className="muted">{call.seconds === null ? "" : formatDuration(call.seconds)}</span>
          </>
        )}
      </RowList>
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
