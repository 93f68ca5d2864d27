// A banner above the page with help while the server does not answer.
import { useServerState } from "../queries";
import { Icon } from "../ui/Icon";

export function ServerStatus() {
  const { server, isChecking, retry } = useServerState();
  return (
    // Always rendered, since screen readers do not announce a live region that is inserted with its text.
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
            {/* Not `disabled` while it checks: a button that is disabled loses the focus. */}
            <button type="button" className="button-plain" onClick={retry} aria-disabled={isChecking}>
              {isChecking ? "Checking …" : "Look now"}
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
