// The state of the server in one sentence, and what to do when it does not answer.
import { HEALTH_INTERVAL_SECONDS, useServerState, type ServerState } from "../queries";

const HEADLINES: Record<ServerState["state"], string> = {
  checking: "Checking the server …",
  running: "The server is running",
  unreachable: "The server is not reachable",
};

export function ServerStatus() {
  const { server, isChecking, retry } = useServerState();
  return (
    <section className="status" data-state={server.state} aria-label="Server state">
      <span className="status-node" aria-hidden="true" />
      {/* Only the headline is announced, and only when it changes: not every look at the server. */}
      <p className="status-headline" role="status">
        {HEADLINES[server.state]}
      </p>
      {server.state === "unreachable" ? (
        <div className="status-more">
          <p>
            Reason: {server.detail}. Start the server with <code>noetl server start</code>.
          </p>
          {/* Not `disabled` while it looks: a button that vanishes under the focus loses it. */}
          <button type="button" onClick={retry} aria-disabled={isChecking}>
            {isChecking ? "Checking …" : "Retry"}
          </button>
        </div>
      ) : (
        <p className="status-more">Checked every {HEALTH_INTERVAL_SECONDS} seconds.</p>
      )}
    </section>
  );
}
