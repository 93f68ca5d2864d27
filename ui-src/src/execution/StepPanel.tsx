// One step of an execution: how each of its calls went, what it was called with, what it returned, and why it failed.
import { useMemo, useState, type ReactNode } from "react";
import { Link } from "react-router";
import type { Execution, ExecutionEvent, GraphNode } from "../api/schema";
import { CopyButton } from "../ui/CopyButton";
import { count, formatDateTime, formatDuration } from "../ui/format";
import { Icon } from "../ui/Icon";
import { Empty } from "../ui/notices";
import { StatusBadge } from "../ui/StatusBadge";
import { Elapsed } from "../ui/Time";
import { ValueView } from "../ui/ValueView";
import { NO_STEP, type StepChoice } from "./address";
import { CallList } from "./CallList";
import { callsOf, chosenCall, nameOf, traceOf, type Call } from "./calls";
import { editorAddress, lineOf } from "./events";

interface Props {
  execution: Execution;
  node: GraphNode | undefined;
  chosen: StepChoice;
  events: readonly ExecutionEvent[];
  isRunning: boolean;
  choose: (choice: StepChoice) => void;
}

export function StepPanel(props: Props) {
  const { execution, node, chosen, events, isRunning, choose } = props;
  const { step, item, call: number } = chosen;
  const calls = useMemo(() => callsOf(events, step, !isRunning), [events, step, isRunning]);
  const [search, setSearch] = useState("");
  const call = chosenCall(calls, number, item);
  return (
    <>
      <div className="panel-header">
        <h2 id="step">
          Step <bdi>{step}</bdi>
        </h2>
        <span className="step-actions">
          {node !== undefined && node.line > 0 && (
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
      {call === undefined ? (
        <Empty title={isRunning ? "The step has not begun" : "The step did not run"}>
          {node === undefined && `There is no step of this name in version ${execution.version} of the playbook.`}
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
            <Elapsed start={call.start} end={call.end ?? (call.status === "CANCELLED" ? call.start : null)} seconds={call.seconds} />
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
            {call.retried.map(({ attempt, error, seconds }) => (
              <li key={attempt}>
                <span className="muted">
                  attempt {attempt}, {formatDuration(seconds)}:
                </span>{" "}
                <bdi>{error?.message ?? "its result was not accepted"}</bdi>
              </li>
            ))}
          </ol>
        </Part>
      )}
      {call.item !== null && <Value title="Item" value={call.itemValue} file={`${file}-item`} />}
      {call.input !== undefined && <Value title="Input" value={call.input} file={`${file}-input`} />}
      {call.error === null && isOver && <Value title="Output" value={call.result} file={`${file}-output`} />}
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
        <bdi>{call.error.message}</bdi>
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
          <bdi>{trace}</bdi>
        </pre>
      )}
    </Part>
  );
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
