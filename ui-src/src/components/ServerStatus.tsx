// A banner above the page while the server does not answer, with what to do; nothing while it does.
import { useServerState } from "../queries";
import { Icon } from "../ui/Icon";

export function ServerStatus() {
  const { server, isChecking, retry } = useServerState();
  return (
    // The region is always there: a live region that comes with its text is not read out.
    <div className="server-state" role="status" aria-label="Server state">
      {server.state === "unreachable" && (
        <div className="error-notice">
          <Icon name="warning" />
          <div>
            <p>
              <strong>The server is not reachable</strong>: {server.detail}.
            </p>
            <p className="error-help">
              Start it with <code>noetl server start</code>. This page looks again by itself.
            </p>
            {/* Not `disabled` while it looks: a button that vanishes under the focus loses it. */}
            <button type="button" className="button-plain" onClick={retry} aria-disabled={isChecking}>
              {isChecking ? "Checking …" : "Look now"}
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
