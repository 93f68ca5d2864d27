// The table of playbooks. On narrow screens each row is a block.
import { Link } from "react-router";
import type { CatalogEntry, CatalogRuns } from "../api/schema";
import { RunBars } from "../playbook/RunBars";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { Ago } from "../ui/Time";
import { editorPath, playbookPath } from "./search";

const DESCRIPTION_LIMIT = 220;

interface Props {
  entries: readonly CatalogEntry[];
  /** The newest runs by path; undefined until they are known. */
  runs: CatalogRuns["runs"] | undefined;
  onRun: (entry: CatalogEntry) => void;
  onVersions: (entry: CatalogEntry) => void;
  onDelete: (entry: CatalogEntry) => void;
}

export function PlaybookTable({ entries, runs, onRun, onVersions, onDelete }: Props) {
  return (
    <div className="table-frame">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Playbook</th>
            <th scope="col">Last runs</th>
            <th scope="col">Version</th>
            <th scope="col">Registered</th>
            <th scope="col" className="cell-actions">
              Actions
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.path}>
              <th scope="row">
                <Link className="row-link" to={playbookPath(entry.path)}>
                  <bdi>{entry.path}</bdi>
                </Link>
                {entry.name !== entry.path && (
                  <span className="muted row-name">
                    <bdi>{cut(entry.name, DESCRIPTION_LIMIT)}</bdi>
                  </span>
                )}
                {entry.description !== null && entry.description !== "" && (
                  <p className="row-more">
                    <bdi>{cut(entry.description, DESCRIPTION_LIMIT)}</bdi>
                  </p>
                )}
              </th>
              <td>
                <LastRuns path={entry.path} runs={runs} />
              </td>
              <td>
                <button
                  type="button"
                  className="button-quiet"
                  aria-label={`v${entry.version}, versions of ${entry.path}`}
                  onClick={() => {
                    onVersions(entry);
                  }}
                >
                  <Icon name="versions" />v{entry.version}
                </button>
              </td>
              <td>
                <Ago time={entry.created_at} />
              </td>
              <td className="cell-actions">
                <span className="row-actions">
                  <button
                    type="button"
                    className="button-plain button-small"
                    aria-label={`Run ${entry.path}`}
                    onClick={() => {
                      onRun(entry);
                    }}
                  >
                    <Icon name="play" /> Run
                  </button>
                  <Link
                    className="button button-quiet button-icon"
                    to={editorPath(entry.path)}
                    aria-label={`Edit ${entry.path}`}
                    title="Edit"
                  >
                    <Icon name="edit" />
                  </Link>
                  <button
                    type="button"
                    className="button-quiet button-icon"
                    aria-label={`Delete ${entry.path}`}
                    title="Delete"
                    onClick={() => {
                      onDelete(entry);
                    }}
                  >
                    <Icon name="trash" />
                  </button>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LastRuns({ path, runs }: { path: string; runs: Props["runs"] }) {
  if (runs === undefined) return null;
  const last = Object.hasOwn(runs, path) ? runs[path] : undefined;
  if (last === undefined) return <span className="muted">none</span>;
  return <RunBars runs={last} label={`Last runs of ${path}, oldest first`} />;
}
