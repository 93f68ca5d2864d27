// The page of an execution, updated while it runs: its flow coloured by state, timeline, errors with their places, the
// step that was chosen, log, events, result and input.
import { lazy, Suspense, useRef } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { ExecutionEvent } from "../api/schema";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { PageHeader } from "../components/PageHeader";
import { GraphPanel } from "../graph/GraphPanel";
import { stateOf } from "../graph/layout";
import "../styles/execution.css";
import "../styles/step.css";
import { ErrorNotice, Loading } from "../ui/notices";
import { Tabs } from "../ui/Tabs";
import { choiceIn, tabIn, TABS, withChoice, type StepChoice } from "./address";
import { Children } from "./Children";
import { Errors } from "./Errors";
import { EventLog } from "./EventLog";
import { eventFilterIn, inputOf, reasonOf, withEventFilter, type EventFilter } from "./events";
import { ExecutionHead } from "./ExecutionHead";
import { Input } from "./Input";
import { Result } from "./Result";
import { StepPanel } from "./StepPanel";
import { Timeline } from "./Timeline";
import { useExecution } from "./useExecution";

const LogPanel = lazy(() => import("./LogPanel"));

export default function ExecutionPage() {
  const { id = "" } = useParams();
  // The key resets what is open for another execution.
  return <OneExecution key={id} id={id} />;
}

function OneExecution({ id }: { id: string }) {
  const { item, graph, timeline, outcome, children, events, live, isRunning } = useExecution(id);
  const [parameters, setParameters] = useSearchParams();
  const chosen = choiceIn(parameters);
  const stepPanel = useRef<HTMLElement>(null);

  function choose(choice: StepChoice) {
    setParameters(withChoice(parameters, choice), { replace: true });
    // The panel of a first choice is in the document only after this.
    requestAnimationFrame(() => stepPanel.current?.scrollIntoView({ block: "nearest" }));
    // What was focused goes with the panel.
    if (choice.step === "") document.getElementById("flow")?.focus({ preventScroll: true });
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
  const input = inputOf(log);
  return (
    <>
      <ExecutionHead execution={execution} live={live} isRunning={isRunning} />
      {execution.status === "CANCELLED" && <CancelReason events={log} />}
      <Errors
        execution={execution}
        events={log}
        choose={(step, item) => {
          choose({ step, item, call: "" });
        }}
      />
      <div className="run-grid">
        <section className="panel" aria-labelledby="flow">
          <h2 id="flow" tabIndex={-1}>
            Flow
          </h2>
          {graph.data !== undefined && (
            <GraphPanel
              graph={graph.data}
              states={graph.data.states}
              selected={chosen.step}
              onSelect={(step) => {
                if (step !== chosen.step) choose({ step, item: null, call: "" });
              }}
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
            <Timeline
              steps={timeline.data}
              start={execution.start_time}
              isRunning={isRunning}
              selected={chosen.step}
              onSelect={(step, item) => {
                choose({ step, item, call: "" });
              }}
            />
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
      {chosen.step !== "" && (
        <section className="panel" aria-labelledby="step" ref={stepPanel}>
          <StepPanel
            key={chosen.step}
            execution={execution}
            node={graph.data && (graph.data.nodes.find(({ id: name }) => name === chosen.step) ?? null)}
            state={stateOf(graph.data?.states, chosen.step)}
            chosen={chosen}
            events={events.data}
            isRunning={isRunning}
            choose={choose}
          />
        </section>
      )}
      {!isRunning && outcome.data !== undefined && <Result outcome={outcome.data} />}
      {!isRunning && outcome.error !== null && (
        <ErrorNotice
          error={outcome.error}
          what="The result could not be loaded"
          retry={() => void outcome.refetch()}
        />
      )}
      <section className="panel" aria-label="Log and events">
        <Tabs
          label="Log and events"
          tabs={TABS}
          selected={tabIn(parameters)}
          select={(tab) => {
            const next = new URLSearchParams(parameters);
            next.set("tab", tab);
            setParameters(next, { replace: true });
          }}
        >
          {tabIn(parameters) === "log" ? (
            <ErrorBoundary>
              <Suspense fallback={<Loading what="the log" />}>
                <LogPanel id={id} isRunning={isRunning} />
              </Suspense>
            </ErrorBoundary>
          ) : (
            <EventLog
              events={log}
              filter={eventFilterIn(parameters)}
              setFilter={(next: EventFilter) => {
                setParameters(withEventFilter(parameters, next), { replace: true });
              }}
              isRunning={isRunning}
            />
          )}
        </Tabs>
        {events.isLoading && <Loading what="the events" />}
        {events.error !== null && (
          <ErrorNotice
            error={events.error}
            what="The events could not be loaded"
            retry={() => void events.refetch()}
          />
        )}
      </section>
      {input !== undefined && <Input input={input} />}
      {children.data !== undefined && children.data.total > 0 && <Children page={children.data} />}
    </>
  );
}

/** Why the execution was cancelled, with the reason that was given. */
function CancelReason({ events }: { events: readonly ExecutionEvent[] }) {
  const reason = reasonOf(events);
  if (reason === null) return null;
  return (
    <section className="panel" aria-label="Why it was cancelled">
      Cancelled: <bdi>{reason}</bdi>
    </section>
  );
}
