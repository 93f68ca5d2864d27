// Keeps the frame usable when a page throws while it renders. React supports this only in classes.
import { Component, useEffect, useState, type ReactNode } from "react";
import { useServerState } from "../queries";
import { ReloadButton } from "./ReloadButton";

interface Props {
  children: ReactNode;
}

interface State {
  error: Error | null;
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    if (isMissingPart(error)) return <MissingPart />;
    return (
      <section role="alert">
        <h1>This page failed</h1>
        <p>
          <code>{error.message}</code>
        </p>
        <p>Reload it; if it fails again, it is a bug in NoETL.</p>
      </section>
    );
  }
}

/** Whether a part of the page could not be loaded. Each browser says it in its own words. */
function isMissingPart(error: Error): boolean {
  return /dynamically imported module|importing a module script|module script failed|preload CSS/i.test(
    error.message,
  );
}

/** In place of a part that could not be loaded: the server was away, or has a page of another version now. */
function MissingPart() {
  const { server } = useServerState();
  const [wasAway, setWasAway] = useState(false);
  if (server.state === "unreachable" && !wasAway) setWasAway(true);
  const isBack = wasAway && server.state === "running";
  useEffect(() => {
    if (isBack) location.reload();
  }, [isBack]);
  return (
    <section role="alert">
      <h1>A part of this page could not be loaded</h1>
      <p>
        The server did not answer, or it has another version now. The page loads again by itself when the
        server is back.
      </p>
      <ReloadButton />
    </section>
  );
}
