// The steps of a flow as a list in the order of the playbook, which a text narrows. Only visible rows are in the document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { Icon } from "../ui/Icon";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import type { FlowGraphProps } from "./FlowGraph";
import { stateOf } from "./layout";

const ROW_HEIGHT = 34;

export function StepList({ graph: { nodes }, states, selected, onSelect }: FlowGraphProps) {
  const [search, setSearch] = useState("");
  const shown = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return nodes.filter(({ id, tools }) => `${id} ${tools.join(" ")}`.toLowerCase().includes(wanted));
  }, [nodes, search]);
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  });
  return (
    <div className="step-list">
      <label className="search-field">
        <span className="visually-hidden">Search the steps</span>
        <Icon name="search" />
        <input
          type="search"
          placeholder="Search the steps"
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
          }}
        />
      </label>
      <div className="call-scroll" ref={scroller}>
        <ol className="call-rows" aria-label="Steps" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((row) => {
            const node = shown[row.index];
            if (node === undefined) return null;
            const status = stateOf(states, node.id)?.status;
            return (
              <li
                key={node.id}
                aria-posinset={row.index + 1}
                aria-setsize={shown.length}
                style={{ transform: `translateY(${row.start}px)` }}>
                <button
                  type="button"
                  className="call-row"
                  aria-current={node.id === selected ? "true" : undefined}
                  onClick={() => onSelect?.(node.id)}
                >
                  {status === undefined ? <span /> : <StatusIcon status={status} />}
                  <span className="call-name">
                    <bdi>{node.id}</bdi>
                  </span>
                  <span className="call-item">{node.tools.join(", ")}</span>
                  <span className="muted">{status === undefined ? "" : statusWord(status)}</span>
                </button>
              </li>
            );
          })}
        </ol>
      </div>
    </div>
  );
}
