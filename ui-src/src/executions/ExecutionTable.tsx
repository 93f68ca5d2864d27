// The rows of the list. Only visible rows are in the document; more are requested near the end.
import { createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { Link, useLocation } from "react-router";
import type { Execution } from "../api/schema";
import { messageFirst } from "../ui/format";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { StatusBadge } from "../ui/StatusBadge";
import { Ago, Elapsed } from "../ui/Time";
import { CancelButton } from "./CancelButton";
import { isLive } from "./filter";
import { useActions } from "./useActions";

const ROW_HEIGHT = 45;
const LOAD_AHEAD = 40;
const ERROR_LIMIT = 200;

/** How far the list was scrolled, by the entry of the browser's history: the way back leads to the same place. */
const PLACES = new Map<string, number>();

const features = tableFeatures({});
const helper = createColumnHelper<typeof features, Execution>();
const EXECUTION_COLUMNS = helper.columns([
  helper.accessor("status", {
    header: "Status",
    cell: ({ getValue }) => <StatusBadge status={getValue()} />,
  }),
  helper.accessor("path", {
    header: "Playbook",
    cell: ({ row: { original } }) => (
      <>
        <Link to={`/execution/${original.execution_id}`} className="row-link">
          <bdi>{original.path}</bdi>
        </Link>{" "}
        <span className="muted">v{original.version}</span>
      </>
    ),
  }),
  helper.display({
    id: "where",
    header: "Step or error",
    cell: ({ row: { original } }) => <Where execution={original} />,
  }),
  helper.accessor("execution_id", {
    header: "Id",
    cell: ({ getValue }) => <code className="id">{getValue()}</code>,
  }),
  helper.accessor("start_time", { header: "Started", cell: ({ getValue }) => <Ago time={getValue()} /> }),
  helper.display({
    id: "duration",
    header: "Duration",
    cell: ({ row: { original: execution } }) => (
      <Elapsed start={execution.start_time} end={execution.end_time} seconds={execution.duration_seconds} />
    ),
  }),
  helper.display({
    id: "actions",
    header: "Actions",
    cell: ({ row: { original } }) => <RowActions execution={original} />,
  }),
]);

interface Props {
  executions: Execution[];
  total: number;
  /** Whether there may be more than `total`. */
  isMinimum: boolean;
  isStale: boolean;
  hasMore: boolean;
  loadMore: () => void;
}

export function ExecutionTable({ executions, total, isMinimum, isStale, hasMore, loadMore }: Props) {
  const table = useTable({
    features,
    columns: EXECUTION_COLUMNS,
    data: executions,
    getRowId: (execution) => execution.execution_id,
  });
  const { rows } = table.getRowModel();
  const scroller = useRef<HTMLDivElement>(null);
  const { key: entry } = useLocation();
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 12,
    initialOffset: PLACES.get(entry) ?? 0,
  });
  const items = virtualizer.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && lastShown >= rows.length - LOAD_AHEAD) loadMore();
  }, [hasMore, lastShown, rows.length, loadMore]);
  const headers = useMemo(() => table.getHeaderGroups()[0]?.headers ?? [], [table]);

  return (
    <div className="grid-frame" data-stale={isStale}>
      <div
        className="grid-scroll"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label="List of executions"
        onScroll={({ currentTarget }) => {
          PLACES.set(entry, currentTarget.scrollTop);
        }}
      >
        <div className="grid executions-grid" role="table" aria-label="Executions" aria-rowcount={isMinimum ? -1 : total + 1}>
          <div role="rowgroup" className="grid-head">
            <div role="row" aria-rowindex={1} className="grid-row">
              {headers.map((header) => (
                <div key={header.id} role="columnheader" className={`cell-${header.column.id}`}>
                  <table.FlexRender header={header} />
                </div>
              ))}
            </div>
          </div>
          <div role="rowgroup" className="grid-body" style={{ height: virtualizer.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              if (row === undefined) return null;
              return (
                <div
                  key={row.id}
                  ref={virtualizer.measureElement}
                  data-index={item.index}
                  role="row"
                  aria-rowindex={item.index + 2}
                  className="grid-row"
                  data-status={row.original.status}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {row.getAllCells().map((cell) => (
                    <div key={cell.id} role="cell" className={`cell-${cell.column.id}`}>
                      <table.FlexRender cell={cell} />
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
      <p className="grid-foot">
        {hasMore
          ? `${executions.length.toLocaleString("en")} of ${isMinimum ? "at least " : ""}${total.toLocaleString("en")} loaded; more load as you scroll`
          : `All ${total.toLocaleString("en")} loaded`}
      </p>
    </div>
  );
}

function Where({ execution: { status, error, current_step } }: { execution: Execution }) {
  if (status === "FAILED" && error !== null) {
    return (
      <span className="cell-error" title={cut(error, 1000)}>
        <bdi>{cut(messageFirst(error), ERROR_LIMIT)}</bdi>
      </span>
    );
  }
  return isLive(status) && current_step !== null ? (
    <bdi>{current_step}</bdi>
  ) : (
    <span className="muted">–</span>
  );
}

function RowActions({ execution: { execution_id: id, path, status } }: { execution: Execution }) {
  const { rerun, isBusy } = useActions();
  return isLive(status) ? (
    <CancelButton id={id} path={path} className="button-quiet" label={`Cancel execution ${id}`} />
  ) : (
    <button
      type="button"
      className="button-quiet"
      aria-label={`Rerun execution ${id}`}
      aria-disabled={isBusy}
      onClick={() => {
        rerun(id);
      }}
    >
      <Icon name="rerun" /> Rerun
    </button>
  );
}
