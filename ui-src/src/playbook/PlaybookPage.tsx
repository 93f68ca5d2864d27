// The page of a playbook: what it does, its flow, its runs over time, its versions, and the form to run it.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { getEntry, getGraph, schemaOf, workloadOf } from "../api/catalog";
import { listExecutions } from "../api/executions";
import { RunDialog } from "../catalog/RunDialog";
import { editorPath } from "../catalog/search";
import { VersionList } from "../catalog/VersionList";
import { PageHeader } from "../components/PageHeader";
import { ExecutionLines } from "../dashboard/ExecutionLines";
import { GraphPanel } from "../graph/GraphPanel";
import "../styles/catalog.css";
import "../styles/dashboard.css";
import "../styles/execution.css";
import "../styles/step.css";
import { Icon } from "../ui/Icon";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { Ago } from "../ui/Time";
import { ValueView } from "../ui/ValueView";
import { RunBars } from "./RunBars";
import { summaryOf } from "./runs";

const RUNS_SHOWN = 60;
const LINES_SHOWN = 8;
/** How often the list of runs is asked for. */
const REFRESH_MILLISECONDS = 5000;

export default function PlaybookPage() {
  const [parameters] = useSearchParams();
  const path = parameters.get("id") ?? "";
  return <OnePlaybook key={path} path={path} />;
}

function OnePlaybook({ path }: { path: string }) {
  const navigate = useNavigate();
  const [running, setRunning] = useState<{ version?: number }>();
  const entry = useQuery({
    queryKey: ["catalog", "entry", path],
    queryFn: ({ signal }) => getEntry(path, undefined, signal),
  });
  if (entry.data === undefined) {
    return (
      <>
        <PageHeader title="Playbook" />
        {entry.error === null ? (
          <Loading what="the playbook" />
        ) : (
          <ErrorNotice
            error={entry.error}
            what={`The playbook ${path} could not be loaded`}
            retry={() => void entry.refetch()}
          />
        )}
        <p>
          <Link to="/catalog">All playbooks</Link>
        </p>
      </>
    );
  }
  const { version, description, name, created_at } = entry.data;
  const workload = workloadOf(entry.data);
  const schema = schemaOf(entry.data);
  return (
    <>
      <PageHeader
        title={<bdi>{path}</bdi>}
        actions={
          <>
            <Link className="button button-plain" to={editorPath(path)}>
              <Icon name="edit" /> Edit
            </Link>
            <button
              type="button"
              onClick={() => {
                setRunning({});
              }}
            >
              <Icon name="play" /> Run …
            </button>
          </>
        }
      >
        <span>version {version}</span>
        <span>
          registered <Ago time={created_at} />
        </span>
        {name !== path && <bdi>{name}</bdi>}
      </PageHeader>
      {description !== null && description !== "" && (
        <p className="playbook-description">
          <bdi>{description}</bdi>
        </p>
      )}
      <div className="run-grid">
        <section className="panel" aria-labelledby="flow">
          <h2 id="flow">Flow</h2>
          <Flow path={path} />
        </section>
        <Runs path={path} />
      </div>
      {Object.keys(workload).length > 0 && (
        <section className="panel" aria-labelledby="workload">
          <h2 id="workload">Workload</h2>
          <ValueView value={workload} label="Workload" file="workload" />
        </section>
      )}
      {Object.keys(schema).length > 0 && (
        <section className="panel" aria-labelledby="schema">
          <h2 id="schema">What the input must be</h2>
          <ValueView value={schema} label="Schema" file="workload_schema" />
        </section>
      )}
      <section className="panel" aria-labelledby="versions">
        <h2 id="versions">Versions</h2>
        <VersionList
          path={path}
          onRun={(version) => {
            setRunning({ version });
          }}
          onEmpty={() => void navigate("/catalog")}
        />
      </section>
      {running !== undefined && (
        <RunDialog
          path={path}
          version={running.version}
          onClose={() => {
            setRunning(undefined);
          }}
        />
      )}
    </>
  );
}

function Flow({ path }: { path: string }) {
  const navigate = useNavigate();
  const graph = useQuery({
    queryKey: ["catalog", "graph", path],
    queryFn: ({ signal }) => getGraph(path, signal),
  });
  if (graph.error !== null) {
    return (
      <ErrorNotice
        error={graph.error}
        what="The flow could not be loaded"
        retry={() => void graph.refetch()}
      />
    );
  }
  if (graph.data === undefined) return <Loading what="the flow" />;
  return (
    <GraphPanel
      graph={graph.data}
      onSelect={(step) => {
        const line = graph.data.nodes.find(({ id }) => id === step)?.line ?? 0;
        void navigate(line > 0 ? `${editorPath(path)}&line=${line}` : editorPath(path));
      }}
    />
  );
}

function Runs({ path }: { path: string }) {
  const runs = useQuery({
    queryKey: ["executions", "of", path],
    queryFn: ({ signal }) =>
      listExecutions({ status: "", text: "", since: "", path }, { limit: RUNS_SHOWN }, signal),
    refetchInterval: REFRESH_MILLISECONDS,
  });
  const { items, total } = runs.data ?? { items: [], total: 0 };
  return (
    <section className="panel" aria-labelledby="runs">
      <div className="panel-header">
        <h2 id="runs">Runs</h2>
        {total > items.length && (
          <span className="muted">
            the newest {items.length} of {total.toLocaleString("en")}
          </span>
        )}
      </div>
      {runs.error !== null && (
        <ErrorNotice error={runs.error} what="The runs could not be loaded" retry={() => void runs.refetch()} />
      )}
      {runs.data === undefined && runs.error === null && <Loading what="the runs" />}
      {runs.data !== undefined && items.length === 0 && <Empty title="It has not run yet" />}
      {items.length > 0 && (
        <>
          <p className="muted">{summaryOf(items)}</p>
          <RunBars runs={items} label="Runs over time, oldest first" />
          <ExecutionLines executions={items.slice(0, LINES_SHOWN)} empty="" />
          <p>
            <Link to={`/execution?${new URLSearchParams({ q: path }).toString()}`}>All runs in the list</Link>
          </p>
        </>
      )}
    </section>
  );
}
