// A long list whose rows are buttons. Only visible rows are in the document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, type ReactNode } from "react";

interface Props<Row> {
  label: string;
  rows: readonly Row[];
  /** In pixels. */
  rowHeight: number;
  /** The class of each button, which has the columns of a row. */
  className: string;
  keyOf: (row: Row) => string;
  isCurrent: (row: Row) => boolean;
  choose: (row: Row) => void;
  titleOf?: (row: Row) => string;
  children: (row: Row) => ReactNode;
}

export function RowList<Row>(props: Props<Row>) {
  const { label, rows, rowHeight, className, keyOf, isCurrent, choose, titleOf, children } = props;
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
  });
  return (
    <div className="row-scroll" ref={scroller}>
      <ol className="rows" aria-label={label} style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map(({ index, start }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <li
              key={keyOf(row)}
              aria-posinset={index + 1}
              aria-setsize={rows.length}
              style={{ transform: `translateY(${start}px)` }}
            >
              <button
                type="button"
                className={`row ${className}`}
                title={titleOf?.(row)}
                aria-current={isCurrent(row) ? "true" : undefined}
                onClick={() => {
                  choose(row);
                }}
              >
                {children(row)}
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
