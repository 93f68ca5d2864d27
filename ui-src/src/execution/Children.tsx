// The executions that this execution has started.
import type { ExecutionPage } from "../api/executions";
import { ExecutionLines } from "../dashboard/ExecutionLines";

export function Children({ page: { items, total } }: { page: ExecutionPage }) {
  return (
    <section className="panel" aria-labelledby="children">
      <h2 id="children">Started from here</h2>
      <ExecutionLines executions={items} empty="" />
      {total > items.length && (
        <p className="muted">
          The newest {items.length} of {total}.
        </p>
      )}
    </section>
  );
}
