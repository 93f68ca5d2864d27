// The errors of an execution, with their lines in the playbook.
import { Link } from "react-router";
import type { Execution, ExecutionEvent } from "../api/schema";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { editorAddress, errorsOf, lineOf, type FoundError } from "./events";

const SHOWN = 5;
const MESSAGE_LIMIT = 1200;

export function Errors({ execution, events }: { execution: Execution; events: readonly ExecutionEvent[] }) {
  const errors = errorsOf(events);
  const known = errors.some(({ error }) => error.message === execution.error);
  if (execution.error !== null && !known && errors.length === 0) {
    errors.push({ step: execution.current_step, error: { message: execution.error }, times: 1 });
  }
  if (errors.length === 0) return null;
  const isFailed = execution.status === "FAILED";
  return (
    <section className="panel errors" data-failed={isFailed} aria-labelledby="errors">
      <h2 id="errors">
        <Icon name="warning" />
        {isFailed ? "Why it failed" : "Errors on the way"}
      </h2>
      <ul>
        {errors.slice(0, SHOWN).map((found) => (
          <li key={found.error.message}>
            <OneError found={found} execution={execution} />
          </li>
        ))}
      </ul>
      {errors.length > SHOWN && <p className="muted">{errors.length - SHOWN} more in the event log.</p>}
    </section>
  );
}

function OneError({ found: { step, error, times }, execution }: { found: FoundError; execution: Execution }) {
  const line = lineOf(error);
  const field = error.place?.field;
  return (
    <>
      <p className="error-message">
        <bdi>{cut(error.message, MESSAGE_LIMIT)}</bdi>
        {times > 1 && <span className="muted"> ({times} times)</span>}
      </p>
      {typeof error.help === "string" && (
        <p>
          <bdi>{error.help}</bdi>
        </p>
      )}
      <p className="error-place">
        {step !== null && (
          <span>
            step <bdi>{step}</bdi>
          </span>
        )}
        {typeof field === "string" && field !== "" && (
          <span>
            field <code>{field}</code>
          </span>
        )}
        {error.kind !== undefined && <span>kind {error.kind}</span>}
        {line !== null && (
          <Link to={editorAddress(execution.path, execution.version, line)}>
            Open the playbook at line {line}
          </Link>
        )}
      </p>
    </>
  );
}
