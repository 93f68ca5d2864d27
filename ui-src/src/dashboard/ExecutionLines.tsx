// A short list of executions, one line each: playbook, status, start time.
import { Link } from "react-router";
import type { Execution } from "../api/schema";
import { messageFirst } from "../ui/format";
import { cut } from "../ui/LongText";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import { Ago, Elapsed } from "../ui/Time";

const ERROR_LIMIT = 160;

export function ExecutionLines({ executions, empty }: { executions: readonly Execution[]; empty: string }) {
  if (executions.length === 0) return <p className="muted">{empty}</p>;
  return (
    <ul className="lines">
      {executions.map((execution) => (
        <li key={execution.execution_id}>
          <StatusIcon status={execution.status} />
          <span className="visually-hidden">{statusWord(execution.status)}</span>
          <div className="line-main">
            <Link to={`/execution/${execution.execution_id}`}>
              <bdi>{execution.path}</bdi>
            </Link>
            {execution.status === "FAILED" && execution.error !== null && (
              <p className="line-more">
                <bdi>{cut(messageFirst(execution.error), ERROR_LIMIT)}</bdi>
              </p>
            )}
            {execution.status === "RUNNING" && execution.current_step !== null && (
              <p className="line-more">
                in step <bdi>{execution.current_step}</bdi>
              </p>
            )}
          </div>
          <span className="line-time">
            {execution.end_time === null ? (
              <Elapsed start={execution.start_time} end={null} />
            ) : (
              <Ago time={execution.end_time} />
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}
