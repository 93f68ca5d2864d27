// A banner above the page with help while the server does not answer, or when it has another version than the page.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useServerState, useVersion, type ServerState } from "../queries";
import { Icon } from "../ui/Icon";
import { ReloadButton } from "./ReloadButton";

export function ServerStatus() {
  const { server, isChecking, retry } = useServerState();
  const isNew = useNewVersion();
  useReturn(server.state);
  return (
    // Always rendered, since screen readers do not announce a live region that is inserted with its text.
    <div className="server-state" role="status" aria-label="Server state">
      {isNew && (
        <div className="error-notice">
          <Icon name="warning" />
          <div>
            <p>
              <strong>The server has another version now</strong>, with another page than this one.
            </p>
            <ReloadButton />
          </div>
        </div>
      )}
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

/** Whether the server's page is another one than when this page was opened. */
function useNewVersion(): boolean {
  const { data } = useVersion();
  const now = data?.ui_sha256 ?? null;
  const [first, setFirst] = useState(now);
  if (first === null && now !== null) setFirst(now);
  return first !== null && now !== null && first !== now;
}

/** Asks for everything again once the server is back: what failed meanwhile, and what has changed. */
function useReturn(state: ServerState["state"]): void {
  const client = useQueryClient();
  const wasAway = useRef(false);
  useEffect(() => {
    if (state === "unreachable") wasAway.current = true;
    if (state !== "running" || !wasAway.current) return;
    wasAway.current = false;
    void client.invalidateQueries();
  }, [client, state]);
}
