// Notices in place of data, with help: loading, empty or failed.
import type { ReactNode } from "react";
import { ApiError } from "../api/request";
import { Icon } from "./Icon";

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children !== undefined && <div className="empty-more">{children}</div>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      Loading {what} …
    </p>
  );
}

interface ErrorProps {
  error: unknown;
  /** What failed, such as "The list could not be loaded". */
  what: string;
  retry?: () => void;
}

export function ErrorNotice({ error, what, retry }: ErrorProps) {
  return (
    <div className="error-notice" role="alert">
      <Icon name="warning" />
      <div>
        <p>
          <strong>{what}</strong>: <bdi>{describe(error)}</bdi>.
        </p>
        <p className="error-help">{nextStep(error)}</p>
        {retry !== undefined && (
          <button type="button" className="button-plain" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

/** Returns the message of an error. An error that is not an ApiError is a defect of this page. */
export function describe(error: unknown): string {
  return error instanceof ApiError ? error.message.replace(/\.$/, "") : `unexpected: ${String(error)}`;
}

/** Returns help for an error; help from the server has priority. */
export function nextStep(error: unknown): string {
  if (!(error instanceof ApiError)) return "This is a fault of the page. Reload it; if it stays, report it.";
  if (error.help !== undefined) return error.help;
  if (error.status === 0) return "Look whether the server runs: noetl server status.";
  if (error.status === 401) return "Sign in with the server's token, then try again.";
  if (error.status === 404) return "It may have been deleted. Go back to the list and look there.";
  if (error.status >= 500) return "The server's log says more.";
  return "";
}
