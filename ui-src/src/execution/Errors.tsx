// The errors of an execution, with their lines in the playbook.
import { Link } from "react-router";
import type { Execution, ExecutionEvent } from "../api/schema";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { editorAddress, errorsOf, lineOf, type FoundError } from "./events";

const SHOWN = 5;
const MESSAGE_LIMIT = 1200;
/** How many items that failed with the same message are named. */
const ITEMS = 5;

interface Props {
  execution: Execution;
  events: readonly ExecutionEvent[];
  /** Opens a step, and the call of an item. */
  choose: (step: string, item: number | null) => void;
}

export function Errors({ execution, events, choose }: Props) {
  const errors = errorsOf(events);
  const known = errors.some(({ error }) => error.message === execution.error);
  if (execution.error !== null && !known && errors.length === 0) {
    errors.push({ step: execution.current_step, error: { message: execution.error }, times: 1, items: [] });
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
          <li key={`${found.step ?? ""} ${found.error.message}`}>
            <OneError found={found} execution={execution} choose={choose} />
          </li>
        ))}
      </ul>
      {errors.length > SHOWN && <p className="muted">{errors.length - SHOWN} more in the event log.</p>}
    </section>
  );
}

interface ErrorProps {
  found: FoundError;
  execution: Execution;
  choose: Props["choose"];
}

function OneError({ found: { step, error, times, items }, execution, choose }: ErrorProps) {
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
          <button
            type="button"
            className="button-link"
            onClick={() => {
              choose(step, items[0] ?? null);
            }}
          >
            <span>
              step <bdi>{step}</bdi>
              {items.length > 0 && `, ${itemsOf(items)}`}
            </span>
          </button>
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

/** Returns a text such as `item 3` or `items 0, 3, 7 and 12 more`. */
function itemsOf(items: readonly number[]): string {
  const [only, second] = items;
  if (second === undefined) return `item ${only ?? 0}`;
  const more = items.length - ITEMS;
  return `items ${items.slice(0, ITEMS).join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}`;
}
