// What an execution was started with: the workload of its playbook with the values that were given.
import { ValueView } from "../ui/ValueView";

export function Input({ input }: { input: object }) {
  const isEmpty = Object.keys(input).length === 0;
  return (
    <section className="panel" aria-labelledby="input">
      <h2 id="input">Input</h2>
      {isEmpty ? (
        <p className="muted">The playbook has no workload, and nothing was given.</p>
      ) : (
        <ValueView value={input} label="Input" file="input" />
      )}
    </section>
  );
}
