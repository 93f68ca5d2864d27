// The About page: the whole build stamp of the running server, which can be copied into a report.
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link } from "react-router";
import type { BuildStamp } from "../api/schema";
import { getStatus } from "../api/server";
import { FactList } from "../components/FactList";
import { PageHeader } from "../components/PageHeader";
import { allFacts, serverFacts } from "../facts";
import { describe, useServerState, useVersion } from "../queries";

export function AboutPage() {
  return (
    <>
      <PageHeader title="About NoETL">NoETL runs workflow playbooks written in YAML.</PageHeader>
      <div className="columns">
        <section className="panel" aria-labelledby="stamp">
          <h2 id="stamp">Build stamp</h2>
          <Stamp />
        </section>
        <section className="panel" aria-labelledby="server">
          <h2 id="server">This server</h2>
          <Server />
        </section>
      </div>
      <ul className="links">
        <li>
          <Link to="/docs">API documentation</Link>
        </li>
        <li>
          <a href="/api/openapi.json">OpenAPI description</a>
        </li>
        <li>
          <a href="/metrics">Metrics</a>
        </li>
        <li>
          <a href="https://github.com/noetl/noetl">Source code</a>
        </li>
        <li>
          <a href="/licenses.txt">Licences of the libraries in this page</a>
        </li>
      </ul>
    </>
  );
}

function Server() {
  const { data, error } = useQuery({ queryKey: ["status"], queryFn: ({ signal }) => getStatus(signal) });
  if (data !== undefined) return <FactList facts={serverFacts(data)} />;
  if (error !== null) return <p>The server does not say how it runs: {describe(error)}.</p>;
  return <p>Asking the server …</p>;
}

function Stamp() {
  const { server } = useServerState();
  const { data: stamp, error } = useVersion();
  if (server.state === "unreachable") {
    return (
      <p>
        The server is not reachable: {server.detail}. <code>noetl version --json</code> prints the stamp of
        the binary on this machine.
      </p>
    );
  }
  if (stamp !== undefined) return <StampFacts stamp={stamp} />;
  if (error !== null) return <p>The server does not say what it was built from: {describe(error)}.</p>;
  return <p>Asking the server …</p>;
}

function StampFacts({ stamp }: { stamp: BuildStamp }) {
  const list = useRef<HTMLDivElement>(null);
  const [outcome, setOutcome] = useState("");

  async function copy() {
    try {
      await navigator.clipboard.writeText(`${JSON.stringify(stamp, null, 2)}\n`);
      setOutcome("Copied.");
    } catch {
      // Without HTTPS, browsers have no clipboard for pages of other machines.
      if (list.current !== null) getSelection()?.selectAllChildren(list.current);
      setOutcome("The browser does not let this page copy. The list is selected: copy it from there.");
    }
  }

  return (
    <>
      <div ref={list}>
        <FactList facts={allFacts(stamp)} />
      </div>
      <div className="actions">
        <button type="button" onClick={() => void copy()}>
          Copy as JSON
        </button>
        <p role="status">{outcome}</p>
      </div>
    </>
  );
}
