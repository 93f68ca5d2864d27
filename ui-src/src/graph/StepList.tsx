// The steps of a flow as a list in the order of the playbook, which a text narrows.
import { useMemo, useState } from "react";
import { RowList } from "../ui/RowList";
import { SearchField } from "../ui/SearchField";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import type { FlowGraphProps } from "./FlowGraph";
import { stateOf } from "./layout";

/** In pixels. */
const ROW_HEIGHT = 34;

export function StepList({ graph: { nodes }, states, selected, onSelect }: FlowGraphProps) {
  const [search, setSearch] = useState("");
  const shown = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return nodes.filter(({ id, tools }) => `${id} ${tools.join(" ")}`.toLowerCase().includes(wanted));
  }, [nodes, search]);
  return (
    <div className="step-list">
      <SearchField label="Search the steps" value={search} onChange={setSearch} />
      <RowList
        label="Steps"
        rows={shown}
        rowHeight={ROW_HEIGHT}
        className="row-named"
        keyOf={({ id }) => id}
        isCurrent={({ id }) => id === selected}
        choose={({ id }) => onSelect?.(id)}
      >
        {({ id, tools }) => {
          const status = stateOf(states, id)?.status;
          return (
            <>
              {status === undefined ? <span /> : <StatusIcon status={status} />}
              <span className="row-label">
                <bdi>{id}</bdi>
              </span>
              <span className="row-detail">{tools.join(", ")}</span>
              <span className="muted">{status === undefined ? "" : statusWord(status)}</span>
            </>
          );
        }}
      </RowList>
    </div>
  );
}
