// The versions of a playbook: open, compare with the newest, run, delete.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { deleteEntry, listVersions } from "../api/catalog";
import type { CatalogEntry } from "../api/schema";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Icon } from "../ui/Icon";
import { ErrorNotice, Loading } from "../ui/notices";
import { Ago } from "../ui/Time";
import { toast } from "../ui/toasts";
import { editorPath } from "./search";

interface Props {
  path: string;
  onRun: (version: number) => void;
  /** The last version is deleted. */
  onEmpty: () => void;
}

export function VersionList({ path, onRun, onEmpty }: Props) {
  const client = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: ["catalog", "versions", path],
    queryFn: ({ signal }) => listVersions(path, signal),
  });
  const [doomed, setDoomed] = useState<CatalogEntry>();
  const newest = data?.[0]?.version;

  return (
    <>
      {data === undefined && error === null && <Loading what="the versions" />}
      {error !== null && (
        <ErrorNotice error={error} what="The versions could not be loaded" retry={() => void refetch()} />
      )}
      {data !== undefined && (
        <ul className="versions">
          {data.map((entry) => (
            <li key={entry.version}>
              <span className="version-name">
                <Link to={editorPath(path, entry.version)}>Version {entry.version}</Link>
                {entry.version === newest && <span className="tag">newest</span>}
              </span>
              <span className="muted">
                <Ago time={entry.created_at} />
              </span>
              <span className="row-actions">
                {entry.version !== newest && newest !== undefined && (
                  <Link
                    className="button button-quiet"
                    to={`${editorPath(path, newest)}&compare=${entry.version}`}
                    aria-label={`Compare version ${entry.version} with the newest`}
                  >
                    <Icon name="compare" /> Compare
                  </Link>
                )}
                <button
                  type="button"
                  className="button-quiet"
                  aria-label={`Run version ${entry.version}`}
                  onClick={() => {
                    onRun(entry.version);
                  }}
                >
                  <Icon name="play" /> Run
                </button>
                <button
                  type="button"
                  className="button-quiet button-icon"
                  aria-label={`Delete version ${entry.version}`}
                  onClick={() => {
                    setDoomed(entry);
                  }}
                >
                  <Icon name="trash" />
                </button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {doomed !== undefined && (
        <ConfirmDialog
          title={`Delete version ${doomed.version}?`}
          action="Delete this version"
          run={() => deleteEntry(path, doomed.version)}
          onClose={() => {
            setDoomed(undefined);
          }}
          onDone={() => {
            toast(`Version ${doomed.version} of ${path} is deleted`);
            setDoomed(undefined);
            void client.invalidateQueries({ queryKey: ["catalog"] });
            if (data?.length === 1) onEmpty();
          }}
        >
          <p>
            The text of version {doomed.version} of <bdi>{path}</bdi> is gone for good. What has run stays in
            the list of executions.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
