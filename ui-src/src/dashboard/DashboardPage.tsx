// The dashboard: past executions and their success, running executions, and slow steps. The server computes the
// numbers. It pushes every change of an execution, after which they are requested again.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import type { Dashboard } from "../api/schema";
import { getDashboard } from "../api/server";
import { PageHeader } from "../components/PageHeader";
import { useRefresh } from "../live/useRefresh";
import { useStream } from "../live/useStream";
import "../styles/dashboard.css";
import { formatPercent } from "../ui/format";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { Charts } from "./Charts";
import { ExecutionLines } from "./ExecutionLines";
import { RANGES } from "./series";

export function DashboardPage() {
  const [hours, setHours] = useState<number>(24);
  const { data, error, refetch } = useQuery({
    queryKey: ["dashboard", hours],
    queryFn: ({ signal }) => getDashboard(hours, signal),
    placeholderData: keepPreviousData,
  });
  const refresh = useRefresh(["dashboard"], 2000);
  useStream("dashboard", {
    address: () => "/api/executions/stream",
    on: { execution: refresh },
    onReconnect: refresh,
  });

  return (
    <>
      <PageHeader title="Dashboard" actions={<RangeSwitch hours={hours} choose={setHours} />} />
      {error !== null && (
        <ErrorNotice error={error} what="The numbers could not be loaded" retry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Loading what="the dashboard" />}
      {data !== undefined && <Numbers dashboard={data} hours={hours} />}
    </>
  );
}

function Numbers({ dashboard, hours }: { dashboard: Dashboard; hours: number }) {
  const { stats, running, recent_failures } = dashboard;
  const isNew = stats.total_executions === 0 && running.length === 0;
  return (
    <>
      <dl className="tiles">
        <Tile label="Executions" value={stats.total_executions} to="/execution" />
        <Tile label="Success rate" value={formatPercent(stats.success_rate)} />
        <Tile
          label="Running now"
          value={stats.running_executions}
          to="/execution?status=RUNNING"
          tone="active"
        />
        <Tile label="Steps waiting" value={stats.queue_depth} to="/execution?status=PENDING" />
        <Tile
          label="Failed"
          value={stats.failed_executions}
          to="/execution?status=FAILED"
          {...(stats.failed_executions > 0 ? { tone: "danger" } : {})}
        />
        <Tile label="Playbooks" value={stats.total_playbooks} to="/catalog" />
        <Tile label="Workers" value={stats.workers} to="/workers" />
      </dl>
      {isNew ? (
        <section className="panel">
          <Empty title={stats.total_playbooks === 0 ? "No playbook yet" : "Nothing has run yet"}>
            <p>
              {stats.total_playbooks === 0
                ? "Register a playbook, then run it; what it does shows up here."
                : "Run a playbook of the catalog; what it does shows up here."}
            </p>
            <p className="empty-actions">
              <Link className="button" to={stats.total_playbooks === 0 ? "/catalog?register" : "/catalog"}>
                {stats.total_playbooks === 0 ? "Register a playbook" : "Open the catalog"}
              </Link>
              {stats.total_playbooks === 0 && (
                <Link className="button button-plain" to="/editor">
                  Write one in the editor
                </Link>
              )}
            </p>
          </Empty>
        </section>
      ) : (
        <Charts dashboard={dashboard} hours={hours} />
      )}
      <div className="columns">
        <section className="panel" aria-labelledby="running">
          <h2 id="running">Running now</h2>
          <ExecutionLines executions={running} empty="Nothing runs at the moment." />
        </section>
        <section className="panel" aria-labelledby="failures">
          <h2 id="failures">Recent failures</h2>
          <ExecutionLines executions={recent_failures} empty="Nothing has failed." />
        </section>
      </div>
    </>
  );
}

interface TileProps {
  label: string;
  value: number | string;
  to?: string;
  tone?: "active" | "danger";
}

function Tile({ label, value, to, tone }: TileProps) {
  const text = typeof value === "number" ? value.toLocaleString("en") : value;
  return (
    <div className="tile" data-tone={tone}>
      <dt>{label}</dt>
      <dd>{to === undefined ? text : <Link to={to}>{text}</Link>}</dd>
    </div>
  );
}

function RangeSwitch({ hours, choose }: { hours: number; choose: (hours: number) => void }) {
  return (
    <fieldset className="segments">
      <legend className="visually-hidden">Time range</legend>
      {RANGES.map((range) => (
        <label key={range.hours}>
          <input
            className="visually-hidden"
            type="radio"
            name="range"
            checked={range.hours === hours}
            onChange={() => {
              choose(range.hours);
            }}
          />
          {range.label}
        </label>
      ))}
    </fieldset>
  );
}
