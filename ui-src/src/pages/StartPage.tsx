// The start page: whether the server runs, what it is, and the commands to go on with.
// Shows only what the server said; without an answer there are no facts.
import { FactList } from "../components/FactList";
import { ServerStatus } from "../components/ServerStatus";
import { shortFacts } from "../facts";
import { describe, useServerState, useVersion } from "../queries";

const COMMANDS = [
  ["noetl server status", "says whether a server answers, and where"],
  ["noetl server start --detach", "runs the server in the background"],
  ["noetl server stop", "stops the one that runs in the background"],
  ["noetl version --json", "prints what this binary was built from"],
] as const;

export function StartPage() {
  const { server } = useServerState();
  return (
    <>
      <h1 className="visually-hidden">NoETL server</h1>
      <ServerStatus />
      <div className="columns">
        {server.state === "running" && <Build />}
        <section className="panel" aria-labelledby="commands">
          <h2 id="commands">On the command line</h2>
          <dl className="commands">
            {COMMANDS.map(([command, purpose]) => (
              <div key={command}>
                <dt>
                  <code>{command}</code>
                </dt>
                <dd>{purpose}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </>
  );
}

function Build() {
  const { data: stamp, error } = useVersion();
  return (
    <section className="panel" aria-labelledby="build">
      <h2 id="build">This server</h2>
      {stamp !== undefined && <FactList facts={shortFacts(stamp)} />}
      {stamp === undefined && error !== null && <p>Its version is not known: {describe(error)}.</p>}
      {stamp === undefined && error === null && <p>Asking for its version …</p>}
    </section>
  );
}
