// The workers that run the steps of playbooks. The server pushes no events about them, so the list is requested
// every few seconds while the page is visible.
import { useQuery } from "@tanstack/react-query";
import type { Worker } from "../api/schema";
import { getWorkers } from "../api/server";
import { PageHeader } from "../components/PageHeader";
import "../styles/catalog.css";
import { count } from "../ui/format";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { Ago } from "../ui/Time";

const INTERVAL_SECONDS = 5;

export default function WorkersPage() {
  const { data, error, refetch } = useQuery({
    queryKey: ["workers"],
    queryFn: ({ signal }) => getWorkers(signal),
    refetchInterval: INTERVAL_SECONDS * 1000,
  });
  const ready = (data ?? []).filter(({ status }) => status === "ready").length;
  return (
    <>
      <PageHeader title="Workers">
        {data !== undefined && data.length > 0 && (
          <span role="status">
            {ready} of {count(data.length, "worker")} ready
          </span>
        )}
      </PageHeader>
      {error !== null && (
        <ErrorNotice error={error} what="The workers could not be loaded" retry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Loading what="the workers" />}
      {data?.length === 0 && (
        <section className="panel">
          <Empty title="No worker is registered">
            The server was started with <code>--max-workers 0</code>, and runs no step itself. Start a worker:{" "}
            <code>noetl worker start</code>.
          </Empty>
        </section>
      )}
      {data !== undefined && data.length > 0 && (
        <div className="table-frame">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Worker</th>
                <th scope="col">State</th>
                <th scope="col">Running</th>
                <th scope="col">Host</th>
                <th scope="col">Started</th>
                <th scope="col">Last heard of</th>
              </tr>
            </thead>
            <tbody>
              {data.map((worker) => (
                <WorkerRow key={worker.runtime_id} worker={worker} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function WorkerRow({ worker }: { worker: Worker }) {
  const { name, status, running, capacity, hostname, pid, started_at, heartbeat } = worker;
  return (
    <tr>
      <th scope="row">
        <bdi className="row-link">{name}</bdi>
      </th>
      <td>
        <span className="badge" data-status={status === "ready" ? "COMPLETED" : "CANCELLED"}>
          {status}
        </span>
      </td>
      <td>
        {running} of {capacity}
      </td>
      <td>
        <bdi>{hostname ?? "–"}</bdi>
        {pid !== null && <span className="muted"> process {pid}</span>}
      </td>
      <td>
        <Ago time={started_at} />
      </td>
      <td>
        <Ago time={heartbeat} />
      </td>
    </tr>
  );
}
