// The result of an execution, and its final variables.
import type { ExecutionState } from "../api/schema";
import { LongText } from "../ui/LongText";

export function Result({ outcome: { result, status, variables } }: { outcome: ExecutionState }) {
  const hasResult = result !== null && result !== undefined;
  const names = Object.keys(variables);
  if (!hasResult && names.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="result">
      <h2 id="result">{hasResult || status === "COMPLETED" ? "Result" : "Variables"}</h2>
      {hasResult && <LongText value={result} label="Result" />}
      {!hasResult && status === "COMPLETED" && <p className="muted">It ended without a result.</p>}
      {names.length > 0 && (
        <details className="more">
          <summary>{names.length === 1 ? "1 variable" : `${names.length} variables`} at the end</summary>
          <LongText value={variables} label="Variables" />
        </details>
      )}
    </section>
  );
}
