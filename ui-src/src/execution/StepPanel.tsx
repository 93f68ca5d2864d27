// One step of an execution: how each of its calls went, what it was called with, what it returned, and why it failed.
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Link } from "react-router";
import { isRecord } from "../api/request";
import type { Execution, ExecutionEvent, GraphNode, StepState } from "../api/schema";
import { CopyButton } from "../ui/CopyButton";
import { count, formatDateTime, formatDuration } from "../ui/format";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { Empty, Loading } from "../ui/notices";
import { StatusBadge } from "../ui/StatusBadge";
import { Elapsed } from "../ui/Time";
import { ValueView } from "../ui/ValueView";
import { NO_STEP, type StepChoice } from "./address";
import { CallList } from "./CallList";
import { callsOf, chosenCall, nameOf, traceOf, type Call } from "./calls";
import { editorAddress, lineOf } from "./events";

const MESSAGE_LIMIT = 4000;
const TRACE_LIMIT = 100_000;

interface Props {
  execution: Execution;
  /** Undefined until the flow is known; null when it has no such step. */
  node: GraphNode | null | undefined;
  /** Where the step stands; undefined when it has not begun. */
  state: StepState | undefined;
  chosen: StepChoice;
  /** Undefined until they are known. */
  events: readonly ExecutionEvent[] | undefined;
  isRunning: boolean;
  choose: (choice: StepChoice) => void;
}

export function StepPanel(props: Props) {
  const { execution, node, state, chosen, events, isRunning, choose } = props;
  const { step, item, call: number } = chosen;
  const calls = useMemo(() => callsOf(events ?? [], step, !isRunning), [events, step, isRunning]);
  const [search, setSearch] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);
  const call = chosenCall(calls, number, item);
  return (
    <>
      <div className="panel-header">
        <h2 id="step" tabIndex={-1} ref={heading}>
          Step <bdi>{step}</bdi>
        </h2>
        <span className="step-actions">
          {node != null && node.line > 0 && (
            <Link className="button button-quiet" to={editorAddress(execution.path, execution.version, node.line)}>
              <Icon name="edit" /> In the playbook
            </Link>
          )}
          <CopyButton text={window.location.href} what="link to this step" />
          <button
            type="button"
            className="button-quiet button-icon"
            aria-label="Close the step"
            onClick={() => {
              choose(NO_STEP);
            }}
          >
            <Icon name="close" />
          </button>
        </span>
      </div>
      {typeof node?.description === "string" && (
        <p className="muted">
          <bdi>{node.description}</bdi>
        </p>
      )}
      {events === undefined ? (
        <Loading what="the events" />
      ) : call === undefined ? (
        <Empty title={withoutCalls(state, isRunning)}>
          {node === null && `There is no step of this name in version ${execution.version} of the playbook.`}
        </Empty>
      ) : (
        <div className="step-grid" data-single={calls.length === 1}>
          {calls.length > 1 && (
            <CallList
              calls={calls}
              chosen={call}
              search={search}
              setSearch={setSearch}
              choose={({ item, number }) => {
                choose({ step, item, call: number });
              }}
            />
          )}
          <CallView key={call.number} call={call} execution={execution} hasName={calls.length > 1} />
        </div>
      )}
    </>
  );
}

/** What is said of a step that made no call. */
function withoutCalls(state: StepState | undefined, isRunning: boolean): string {
  if (state?.status === "COMPLETED") return "The step ended without a call";
  if (state?.status === "SKIPPED") return "The step was skipped";
  return isRunning ? "The step has not begun" : "The step did not run";
}

function CallView({ call, execution, hasName }: { call: Call; execution: Execution; hasName: boolean }) {
  const file = `${execution.execution_id}-${call.step}-${call.number}`;
  const isOver = call.end !== null;
  return (
    <div className="call">
      {hasName && <p className="call-title">{nameOf(call)}</p>}
      <p className="call-facts">
        <StatusBadge status={call.status} />
        {call.tool !== "" && <span>{call.tool}</span>}
        {call.start !== null && (
          <span title={`${formatDateTime(call.start)}${call.end === null ? "" : ` to ${formatDateTime(call.end)}`}`}>
            {isOver ? "took " : "for "}
            <Elapsed start={call.start} end={call.end ?? (call.status === "CANCELLED" ? execution.end_time : null)} seconds={call.seconds} />
          </span>
        )}
        {call.attempt > 1 && <span>{count(call.attempt, "attempt")}</span>}
        {call.worker !== null && (
          <span>
            on <bdi>{call.worker}</bdi>
          </span>
        )}
      </p>
      {call.error !== null && <CallError call={call} execution={execution} />}
      {call.retried.length > 0 && (
        <Part title="Attempts before">
          <ol className="attempts">
            {call.retried.map(({ attempt, error, seconds }, at) => (
              // Two tasks of one pipeline may each have a first attempt.
              <li key={at}>
                <span className="muted">
                  attempt {attempt}, {formatDuration(seconds)}:
                </span>{" "}
                <bdi>{cut(error?.message ?? "its result was not accepted", MESSAGE_LIMIT)}</bdi>
              </li>
            ))}
          </ol>
        </Part>
      )}
      {call.item !== null && <Value title="Item" value={call.itemValue} file={`${file}-item`} />}
      {call.input !== undefined && <Value title="Input" value={call.input} file={`${file}-input`} />}
      {isOver && hasOutput(call) && <Value title="Output" value={call.result} file={`${file}-output`} />}
    </div>
  );
}

function CallError({ call, execution }: { call: Call; execution: Execution }) {
  if (call.error === null) return null;
  const trace = traceOf(call.error);
  const line = lineOf(call.error);
  return (
    <Part title="Error">
      <p className="error-message">
        <bdi>{cut(call.error.message, MESSAGE_LIMIT)}</bdi>
      </p>
      {typeof call.error.help === "string" && (
        <p>
          <bdi>{call.error.help}</bdi>
        </p>
      )}
      {line !== null && (
        <p>
          <Link to={editorAddress(execution.path, execution.version, line)}>
            Open the playbook at line {line}
          </Link>
        </p>
      )}
      {trace !== null && (
        <pre className="trace" tabIndex={0} role="region" aria-label="Traceback">
          <bdi>{cut(trace, TRACE_LIMIT)}</bdi>
        </pre>
      )}
    </Part>
  );
}

/** Whether there is output that is shown: that of a failed call may be no more than its traceback. */
function hasOutput({ error, result }: Call): boolean {
  return error === null || (isRecord(result) && !("traceback" in result));
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="call-part">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

function Value({ title, value, file }: { title: string; value: unknown; file: string }) {
  return (
    <Part title={title}>
      {value === null || value === undefined ? (
        <p className="muted">nothing</p>
      ) : (
        <ValueView value={value} label={title} file={file} />
      )}
    </Part>
  );
}
