// What the steps of an execution print, while they print it: by step, item and attempt, with search, times, links to
// lines, and a file to keep. Only visible lines are in the document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useSearchParams } from "react-router";
import type { LogLine } from "../api/schema";
import "../styles/log.css";
import { download } from "../ui/download";
import { count, formatClock } from "../ui/format";
import { Icon } from "../ui/Icon";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { SearchField } from "../ui/SearchField";
import { spansOf } from "./ansi";
import { choiceLabel, choicesOf, filterIn, labelOf, rowsOf, textOf, withFilter, type LogRow } from "./log";
import { useLog } from "./useLog";

const ROW_HEIGHT = 18;
/** How far from its end a log still counts as read to the end, in pixels. */
const NEAR_END = 24;

interface Props {
  id: string;
  isRunning: boolean;
}

export default function LogPanel({ id, isRunning }: Props) {
  const [parameters, setParameters] = useSearchParams();
  const filter = filterIn(parameters);
  const { log, attempts } = useLog(id, filter, isRunning);
  const [search, setSearch] = useState("");
  const [isWrapped, setIsWrapped] = useState(false);
  const [hasTimes, setHasTimes] = useState(false);
  const lines = useMemo(() => log.data?.lines ?? [], [log.data]);
  const rows = useMemo(() => rowsOf(lines, search), [lines, search]);
  const choices = useMemo(() => choicesOf(attempts.data ?? []), [attempts.data]);
  const selected = JSON.stringify(filter);
  const known = [{ step: "", item: null, attempt: null }, ...choices];
  // What the address names may have printed nothing yet.
  const offered = known.some((it) => JSON.stringify(it) === selected) ? known : [...known, filter];
  return (
    <>
      <search className="toolbar">
        <SearchField
          label="Search the log"
          value={search}
          onChange={(value) => {
            setSearch(value);
          }}
        />
        <label>
          <span className="visually-hidden">Step of the log</span>
          <select
            value={selected}
            onChange={(event) => {
              const chosen = offered.find((it) => JSON.stringify(it) === event.target.value);
              if (chosen === undefined) return;
              const next = withFilter(parameters, chosen);
              // The step's panel shows the same item.
              next.delete("call");
              setParameters(next, { replace: true });
            }}
          >
            {offered.map((it) => (
              <option key={JSON.stringify(it)} value={JSON.stringify(it)}>
                {choiceLabel(it)}
              </option>
            ))}
          </select>
        </label>
        <Toggle label="Wrap" isOn={isWrapped} set={setIsWrapped} />
        <Toggle label="Times" isOn={hasTimes} set={setHasTimes} />
        <button
          type="button"
          className="button-plain"
          aria-disabled={lines.length === 0}
          onClick={() => {
            if (lines.length > 0) download(textOf(lines), `${id}.log`);
          }}
        >
          <Icon name="save" /> Download
        </button>
        <span className="muted" role="status">
          {count(lines.length, "line")}
        </span>
      </search>
      {log.error !== null && (
        <ErrorNotice error={log.error} what="The log could not be loaded" retry={() => void log.refetch()} />
      )}
      {log.data === undefined && log.error === null && <Loading what="the log" />}
      {log.data !== undefined && rows.length === 0 && (
        <Empty title={search === "" ? "Nothing has been printed" : "No line contains the text"}>
          {search === "" && isRunning && "Lines appear here as steps print them."}
        </Empty>
      )}
      {rows.length > 0 && (
        <Lines
          key={selected}
          rows={rows}
          isRunning={isRunning}
          isWrapped={isWrapped}
          hasTimes={hasTimes}
          hasLabels={filter.step === "" || (filter.attempt === null && choices.length > 1)}
        />
      )}
    </>
  );
}

function Toggle({ label, isOn, set }: { label: string; isOn: boolean; set: (isOn: boolean) => void }) {
  return (
    <label className="toggle">
      <input
        type="checkbox"
        checked={isOn}
        onChange={(event) => {
          set(event.target.checked);
        }}
      />
      {label}
    </label>
  );
}

interface LinesProps {
  rows: readonly LogRow[];
  isRunning: boolean;
  isWrapped: boolean;
  hasTimes: boolean;
  hasLabels: boolean;
}

function Lines({ rows, isRunning, isWrapped, hasTimes, hasLabels }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(isRunning);
  const { hash } = useLocation();
  const target = /^#L(\d+)$/.exec(hash)?.[1];
  // eslint-disable-next-line react-hooks/incompatible-library -- its answer is only used in this component
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 20,
  });

  // Follows the end until the reader scrolls up.
  useEffect(() => {
    if (follows.current && target === undefined) virtualizer.scrollToIndex(rows.length - 1, { align: "end" });
  }, [rows.length, target, virtualizer]);

  // A line that the address names, once it is here.
  const index = target === undefined ? -1 : rows.findIndex((row) => "line" in row && row.number === Number(target));
  useEffect(() => {
    if (index < 0) return;
    follows.current = false;
    virtualizer.scrollToIndex(index, { align: "center" });
    scroller.current?.scrollIntoView({ block: "nearest" });
  }, [index, virtualizer]);

  return (
    <div
      className="log-scroll"
      data-wrap={isWrapped}
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label="Lines of the log"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
      }}
    >
      <ol className="log-lines" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            <li
              key={item.key}
              ref={virtualizer.measureElement}
              data-index={item.index}
              data-target={item.index === index}
              aria-posinset={item.index + 1}
              aria-setsize={rows.length}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {"line" in row ? (
                <Line row={row} hasTime={hasTimes} hasLabel={hasLabels} />
              ) : (
                <span className="log-gap">… {count(row.missing, "line")} not kept</span>
              )}
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Line({
  row: { number, line },
  hasTime,
  hasLabel,
}: {
  row: Extract<LogRow, { line: LogLine }>;
  hasTime: boolean;
  hasLabel: boolean;
}) {
  return (
    <>
      <a className="log-number" href={`#L${number}`} aria-label={`Line ${number}`}>
        {number}
      </a>
      {hasTime && (
        <time className="log-time" dateTime={line.time}>
          {formatClock(line.time, "milliseconds")}
        </time>
      )}
      {hasLabel && (
        <span className="log-step" title={labelOf(line)}>
          <bdi>{labelOf(line)}</bdi>
        </span>
      )}
      <span className="log-text" data-stream={line.stream}>
        {spansOf(line.text).map(({ text, colour, isBold }, index) => (
          <span key={index} data-colour={colour ?? undefined} data-bold={isBold || undefined}>
            {text}
          </span>
        ))}
      </span>
    </>
  );
}
