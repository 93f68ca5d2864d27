// The last runs of a playbook: a bar for each, as high as it took long, which leads to its page.
import { Link } from "react-router";
import { formatDateTime, formatDuration } from "../ui/format";
import { statusWord } from "../ui/StatusBadge";
import { runBars, type Run } from "./runs";

export function RunBars({ runs, label }: { runs: readonly Run[]; label: string }) {
  return (
    <ul className="run-bars" aria-label={label}>
      {runBars(runs).map(({ run, height }) => {
        const text = `${statusWord(run.status)}, ${formatDateTime(run.start_time)}, ${formatDuration(run.duration_seconds)}`;
        return (
          <li key={run.execution_id}>
            <Link to={`/execution/${run.execution_id}`} aria-label={text} title={text}>
              <span className="run-bar" data-status={run.status} style={{ height: `${100 * height}%` }} />
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
