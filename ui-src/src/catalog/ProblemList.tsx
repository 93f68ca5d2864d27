// The problems of a playbook, one per line. Next to the text, each place is a button that jumps to it.
import type { Problem } from "../api/schema";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";

const SHOWN = 100;
const MESSAGE_LIMIT = 600;

interface Props {
  problems: readonly Problem[];
  onGo?: (problem: Problem) => void;
}

export function ProblemList({ problems, onGo }: Props) {
  if (problems.length === 0) return null;
  return (
    <ul className="problems">
      {problems.slice(0, SHOWN).map((problem, at) => (
        // The same problem may occur twice at the same place.
        <li key={at} data-severity={problem.severity}>
          <Icon name="warning" />
          <span className="visually-hidden">{problem.severity}: </span>
          <div>
            {onGo === undefined || problem.place.line === 0 ? (
              <span className="problem-place">{placeOf(problem)}</span>
            ) : (
              <button
                type="button"
                className="button-link problem-place"
                onClick={() => {
                  onGo(problem);
                }}
              >
                {placeOf(problem)}
              </button>
            )}{" "}
            {isInput(problem) && (
              <>
                <bdi>{cut(problem.place.field ?? "", MESSAGE_LIMIT)}</bdi>{" "}
              </>
            )}
            <bdi>{cut(problem.message, MESSAGE_LIMIT)}</bdi>
            {typeof problem.help === "string" && (
              <p className="problem-help">
                <bdi>{problem.help}</bdi>
              </p>
            )}
          </div>
        </li>
      ))}
      {problems.length > SHOWN && <li className="muted">and {problems.length - SHOWN} more</li>}
    </ul>
  );
}

/** Whether a problem is that of a value, which its message does not name. */
function isInput({ place }: Problem): boolean {
  return /^workload\b/.test(place.field ?? "");
}

/** Returns `line 4, column 7`, or `line 4` when the column is unknown. */
export function placeOf({ place: { line, column } }: Problem): string {
  if (line === 0) return "The whole file:";
  return column > 0 ? `Line ${line}, column ${column}:` : `Line ${line}:`;
}
