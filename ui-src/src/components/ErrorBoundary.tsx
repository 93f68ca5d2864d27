// Keeps the frame usable when a page throws while it renders. React supports this only in classes.
import { Component, type ReactNode } from "react";

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
