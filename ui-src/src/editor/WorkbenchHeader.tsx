// The head of the editor: playbook, version, choice of a version to compare with, run and save.
import type { CatalogEntry } from "../api/schema";
import { PageHeader } from "../components/PageHeader";
import { formatDateTime } from "../ui/format";
import { Icon } from "../ui/Icon";
import { wholeNumber } from "./wholeNumber";

interface Props {
  path: string;
  version: number | undefined;
  versions: readonly CatalogEntry[];
  compare: number | undefined;
  isChanged: boolean;
  isSaving: boolean;
  canSave: boolean;
  onSave: () => void;
  onRun: () => void;
  onDiscard: () => void;
  choose: (change: { version?: number; compare?: number | undefined }) => void;
}

export function WorkbenchHeader(props: Props) {
  const { path, version, versions, compare, isChanged, isSaving, canSave, onSave, onRun, onDiscard, choose } =
    props;
  return (
    <PageHeader
      title={path === "" ? "New playbook" : <bdi>{path}</bdi>}
      actions={
        <>
          {isChanged && (
            <button type="button" className="button-quiet" onClick={onDiscard}>
              Discard changes
            </button>
          )}
          {path !== "" && (
            <button type="button" className="button-plain" onClick={onRun}>
              <Icon name="play" /> Run version {version}
            </button>
          )}
          <button
            type="button"
            aria-disabled={!canSave}
            aria-keyshortcuts="Control+S"
            onClick={() => {
              if (canSave) onSave();
            }}
          >
            <Icon name="save" /> {isSaving ? "Saving …" : path === "" ? "Save" : "Save as new version"}
          </button>
        </>
      }
    >
      {versions.length > 0 && (
        <>
          <label className="inline-field">
            <span>Version</span>
            <select
              value={version ?? ""}
              onChange={(event) => {
                const chosen = wholeNumber(event.target.value);
                if (chosen !== undefined) choose({ version: chosen, compare: undefined });
              }}
            >
              {versions.map((entry) => (
                <option key={entry.version} value={entry.version}>
                  {entry.version} · {formatDateTime(entry.created_at)}
                </option>
              ))}
            </select>
          </label>
          <label className="inline-field">
            <span>Compare with</span>
            <select
              value={compare ?? ""}
              onChange={(event) => {
                choose({ compare: wholeNumber(event.target.value) });
              }}
            >
              <option value="">nothing</option>
              {versions.map((entry) => (
                <option key={entry.version} value={entry.version}>
                  {entry.version === version ? `${entry.version} as saved` : `version ${entry.version}`}
                </option>
              ))}
            </select>
          </label>
        </>
      )}
      {isChanged && <span className="tag tag-changed">changed</span>}
    </PageHeader>
  );
}
