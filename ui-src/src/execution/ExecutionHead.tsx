// The head of an execution's page: what it is, how it stands, and what can be done with it.
import { Link } from "react-router";
import type { Execution } from "../api/schema";
import { PageHeader } from "../components/PageHeader";
import { CancelButton } from "../executions/CancelButton";
import { RetryButton } from "../executions/RetryButton";
import type { StreamState } from "../live/stream";
import { CopyButton } from "../ui/CopyButton";
import { Icon } from "../ui/Icon";
import { LiveMark } from "../ui/LiveMark";
import { StatusBadge } from "../ui/StatusBadge";
import { Ago, Elapsed } from "../ui/Time";
import { editorAddress } from "./events";
import { RunAgainButton } from "./RunAgainButton";

interface Props {
  execution: Execution;
  live: StreamState;
  isRunning: boolean;
}

export function ExecutionHead({ execution, live, isRunning }: Props) {
  const { execution_id: id, path, version, status, start_time, end_time, duration_seconds } = execution;
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
            <>
              {(status === "FAILED" || status === "CANCELLED") && <RetryButton id={id} version={version} />}
              <RunAgainButton execution={execution} />
            </>
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
      {typeof execution.retry_of === "string" && (
        <Link to={`/execution/${execution.retry_of}`}>retry of another execution</Link>
      )}
    </PageHeader>
  );
}
