// The list of executions, newest first, filtered by status, text and time, and updated by pushed events.
import { useEffect, useEffectEvent, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { executionStatusValues } from "../api/schema";
import { PageHeader } from "../components/PageHeader";
import { count } from "../ui/format";
import { LiveMark } from "../ui/LiveMark";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { SearchField } from "../ui/SearchField";
import { statusWord } from "../ui/StatusBadge";
import "../styles/executions.css";
import { ExecutionTable } from "./ExecutionTable";
import { addressOf, choiceOf, RANGES, type Choice } from "./filter";
import { useExecutions } from "./useExecutions";

const TYPING_MILLISECONDS = 250;

export default function ExecutionsPage() {
  const [parameters, setParameters] = useSearchParams();
  const choice = choiceOf(parameters);
  const list = useExecutions(choice);
  const choose = (change: Partial<Choice>) => {
    setParameters(addressOf({ ...choice, ...change }), { replace: true });
  };
  const isFiltered = parameters.size > 0 && addressOf(choice).size > 0;

  return (
    <>
      <PageHeader title="Executions" actions={<LiveMark state={list.live} />}>
        {list.data !== undefined && (
          <span role="status">
            {list.isMinimum && "at least "}
            {isFiltered ? count(list.total, "match", "matches") : count(list.total, "execution")}
          </span>
        )}
      </PageHeader>
      <Filters choice={choice} choose={choose} />
      {list.error !== null && (
        <ErrorNotice
          error={list.error}
          what="The list could not be loaded"
          retry={() => void list.refetch()}
        />
      )}
      {list.isPending && <Loading what="the executions" />}
      {list.data !== undefined && list.executions.length > 0 && (
        <ExecutionTable
          executions={list.executions}
          total={list.total}
          isMinimum={list.isMinimum}
          isStale={list.isPlaceholderData}
          hasMore={list.hasNextPage}
          loadMore={() => {
            if (!list.isFetchingNextPage) void list.fetchNextPage();
          }}
        />
      )}
      {list.data !== undefined && list.executions.length === 0 && (
        <section className="panel">
          {isFiltered ? (
            <Empty title="Nothing matches">
              <p>No execution has this status, text and time.</p>
              <p className="empty-actions">
                <button
                  type="button"
                  className="button-plain"
                  onClick={() => {
                    choose({ status: "", text: "", range: "" });
                  }}
                >
                  Clear the filter
                </button>
              </p>
            </Empty>
          ) : (
            <Empty title="Nothing has run yet">
              <p>
                Run a playbook of the <Link to="/catalog">catalog</Link>; it appears here at once.
              </p>
            </Empty>
          )}
        </section>
      )}
    </>
  );
}

function Filters({ choice, choose }: { choice: Choice; choose: (change: Partial<Choice>) => void }) {
  const [text, setText] = useState(choice.text);
  const [applied, setApplied] = useState(choice.text);
  if (applied !== choice.text) {
    setApplied(choice.text);
    // Cleared elsewhere. Any other text comes from this field, and the user may still be typing.
    if (choice.text === "") setText("");
  }
  // Pushed events render the list again, which must not delay the search.
  const apply = useEffectEvent(() => {
    choose({ text });
  });
  useEffect(() => {
    if (text === choice.text) return;
    const timer = setTimeout(() => {
      apply();
    }, TYPING_MILLISECONDS);
    return () => {
      clearTimeout(timer);
    };
  }, [text, choice.text]);

  return (
    <search className="toolbar">
      <SearchField
        label="Search by playbook, id or error"
        placeholder="Playbook, id or error"
        value={text}
        onChange={(value) => {
          setText(value);
        }}
      />
      <label>
        <span className="visually-hidden">Status</span>
        <select
          value={choice.status}
          onChange={(event) => {
            choose({ status: executionStatusValues.find((status) => status === event.target.value) ?? "" });
          }}
        >
          <option value="">Any status</option>
          {executionStatusValues.map((status) => (
            <option key={status} value={status}>
              {statusWord(status)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span className="visually-hidden">Time</span>
        <select
          value={choice.range}
          onChange={(event) => {
            choose({ range: RANGES.find(({ value }) => value === event.target.value)?.value ?? "" });
          }}
        >
          {RANGES.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}
