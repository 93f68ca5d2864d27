// The page of an execution, updated while it runs: its flow coloured by state, timeline, errors with their places,
// result, log, and events.
import { lazy, Suspense, useRef } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Execution, ExecutionEvent } from "../api/schema";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { PageHeader } from "../components/PageHeader";
import { CancelButton } from "../executions/CancelButton";
import { useActions } from "../executions/useActions";
import { GraphPanel } from "../graph/GraphPanel";
import type { StreamState } from "../live/stream";
import "../styles/execution.css";
import { CopyButton } from "../ui/CopyButton";
import { Icon } from "../ui/Icon";
import { LiveMark } from "../ui/LiveMark";
import { ErrorNotice, Loading } from "../ui/notices";
import { StatusBadge } from "../ui/StatusBadge";
import { Ago, Elapsed } from "../ui/Time";
import { Children } from "./Children";
import { Errors } from "./Errors";
import { EventLog } from "./EventLog";
import {
  editorAddress,
  eventFilterIn,
  NO_FILTER,
  reasonOf,
  withEventFilter,
  type EventFilter,
} from "./events";
import { withFilter } from "./log";
import { Result } from "./Result";
import { Timeline } from "./Timeline";
import { useExecution } from "./useExecution";

const LogPanel = lazy(() => import("./LogPanel"));

export default function ExecutionPage() {
  const { id = "" } = useParams();
  // The key resets filters and open rows for another execution.
  return <OneExecution key={id} id={id} />;
}

function OneExecution({ id }: { id: string }) {
  const { item, graph, timeline, outcome, children, events, live, isRunning } = useExecution(id);
  const [parameters, setParameters] = useSearchParams();
  const filter = eventFilterIn(parameters);
  const logPanel = useRef<HTMLElement>(null);

  /** Shows what a step has printed, and its events. */
  function select(step: string) {
    const ofLog = withFilter(parameters, { step, item: null, attempt: null });
    setParameters(withEventFilter(ofLog, { ...NO_FILTER, step }), { replace: true });
    logPanel.current?.scrollIntoView({ block: "nearest" });
  }

  if (item.data === undefined) {
    return (
      <>
        <PageHeader title="Execution" />
        {item.error === null ? (
          <Loading what="the execution" />
        ) : (
          <ErrorNotice
            error={item.error}
            what={`Execution ${id} could not be loaded`}
            retry={() => void item.refetch()}
          />
        )}
        <p>
          <Link to="/execution">All executions</Link>
        </p>
      </>
    );
  }
  const execution = item.data;
  const log = events.data ?? [];
  return (
    <>
      <Head execution={execution} live={live} isRunning={isRunning} />
      {execution.status === "CANCELLED" && <CancelReason events={log} />}
      <Errors execution={execution} events={log} />
      <div className="run-grid">
        <section className="panel" aria-labelledby="flow">
          <h2 id="flow">Flow</h2>
          {graph.data !== undefined && (
            <GraphPanel
              graph={graph.data}
              states={graph.data.states}
              onSelect={select}
            />
          )}
          {graph.error !== null && (
            <ErrorNotice
              error={graph.error}
              what="The flow could not be loaded"
              retry={() => void graph.refetch()}
            />
          )}
        </section>
        <section className="panel" aria-labelledby="timeline">
          <h2 id="timeline">Timeline</h2>
          {timeline.data !== undefined && (
            <Timeline steps={timeline.data} start={execution.start_time} isRunning={isRunning} />
          )}
          {timeline.error !== null && (
            <ErrorNotice
              error={timeline.error}
              what="The timeline could not be loaded"
              retry={() => void timeline.refetch()}
            />
          )}
        </section>
      </div>
      {!isRunning && outcome.data !== undefined && (
        <Result outcome={outcome.data} />
      )}
      {!isRunning && outcome.error !== null && (
        <ErrorNotice
          error={outcome.error}
          what="The result could not be loaded"
          retry={() => void outcome.refetch()}
        />
      )}
      {children.data !== undefined && children.data.total > 0 && <Children page={children.data} />}
      <section className="panel" aria-labelledby="log" ref={logPanel}>
        <ErrorBoundary>
          <Suspense fallback={<Loading what="the log" />}>
            <LogPanel id={id} isRunning={isRunning} />
          </Suspense>
        </ErrorBoundary>
      </section>
      <section className="panel" aria-labelledby="events">
        <EventLog
          events={log}
          filter={filter}
          setFilter={(next: EventFilter) => {
            setParameters(withEventFilter(parameters, next), { replace: true });
          }}
          isRunning={isRunning}
        />
        {events.isLoading && <Loading what="the events" />}
        {events.error !== null && (
          <ErrorNotice
            error={events.error}
            what="The events could not be loaded"
            retry={() => void events.refetch()}
          />
        )}
      </section>
    </>
  );
}

/** Why the execution was cancelled, as whoever did it has said. */
function CancelReason({ events }: { events: readonly ExecutionEvent[] }) {
  const reason = reasonOf(events);
  if (reason === null) return null;
  return (
    <section className="panel" aria-label="Why it was cancelled">
      Cancelled: <bdi>{reason}</bdi>
    </section>
  );
}

interface HeadProps {
  execution: Execution;
  live: StreamState;
  isRunning: boolean;
}

function Head({ execution, live, isRunning }: HeadProps) {
  const { execution_id: id, path, version, status, start_time, end_time, duration_seconds } = execution;
  const { rerun, isBusy } = useActions();
  return (
    <PageHeader
      title={<bdi>{path}</bdi>}
      actions={
        <>
          {isRunning && <LiveMark state={live} />}
          <Link className="button button-plain" to={editorAddress(path, version, null)}>
            <Icon name="edit" /> Open playbook
          </Link>
          {isRunning ? (
            <CancelButton id={id} path={path} className="button-danger" label="Cancel" />
          ) : (
            <button
              type="button"
              aria-disabled={isBusy}
              onClick={() => {
                rerun(id);
              }}
            >
              <Icon name="rerun" /> Run again
            </button>
          )}
        </>
      }
    >
      <span role="status">
        <StatusBadge status={status} />
      </span>
      <span>version {version}</span>
      <span className="fact-id">
        <code className="id">{id}</code>
        <CopyButton text={id} what="execution id" />
      </span>
      <span>
        started <Ago time={start_time} />
      </span>
      <span>
        {isRunning ? "running for " : "took "}
        <Elapsed start={start_time} end={isRunning ? null : end_time} seconds={duration_seconds} />
      </span>
      {execution.parent_execution_id !== null && (
        <Link to={`/execution/${execution.parent_execution_id}`}>started by another execution</Link>
      )}
    </PageHeader>
  );
}
