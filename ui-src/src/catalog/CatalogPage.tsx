// The catalog: find, run, edit and register playbooks, and see their versions.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { deleteEntry, listPlaybooks, listRuns } from "../api/catalog";
import type { CatalogEntry } from "../api/schema";
import { PageHeader } from "../components/PageHeader";
import "../styles/catalog.css";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { count } from "../ui/format";
import { Icon } from "../ui/Icon";
import { Empty, ErrorNotice, Loading } from "../ui/notices";
import { SearchField } from "../ui/SearchField";
import { toast } from "../ui/toasts";
import { PlaybookTable } from "./PlaybookTable";
import { RegisterDialog } from "./RegisterDialog";
import { RunDialog } from "./RunDialog";
import { search } from "./search";
import { VersionsDialog } from "./VersionsDialog";

/** How often the last runs are asked for. */
const RUNS_MILLISECONDS = 5000;

type Opened =
  | { dialog: "register" }
  | { dialog: "run"; path: string; version?: number }
  | { dialog: "versions"; path: string }
  | { dialog: "delete"; entry: CatalogEntry };

export default function CatalogPage() {
  const [parameters, setParameters] = useSearchParams();
  const [opened, setOpened] = useState<Opened | undefined>(
    parameters.has("register") ? { dialog: "register" } : undefined,
  );
  const client = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: ["catalog", "playbooks"],
    queryFn: ({ signal }) => listPlaybooks(signal),
  });
  const runs = useQuery({
    queryKey: ["catalog-runs"],
    queryFn: ({ signal }) => listRuns(signal),
    refetchInterval: RUNS_MILLISECONDS,
  });
  const text = parameters.get("q") ?? "";
  const found = search(data ?? [], text);
  const close = () => {
    setOpened(undefined);
    if (parameters.has("register")) setParameters({}, { replace: true });
  };
  const openRegister = () => {
    setOpened({ dialog: "register" });
  };

  return (
    <>
      <PageHeader
        title="Catalog"
        actions={
          <>
            <Link className="button button-plain" to="/editor">
              <Icon name="edit" /> New in the editor
            </Link>
            <button type="button" onClick={openRegister}>
              <Icon name="plus" /> Register
            </button>
          </>
        }
      >
        {data !== undefined && <span role="status">{count(found.length, "playbook")}</span>}
      </PageHeader>
      <search className="toolbar">
        <SearchField
          label="Search the playbooks"
          placeholder="Path, name or description"
          value={text}
          onChange={(value) => {
            setParameters(value === "" ? {} : { q: value }, { replace: true });
          }}
        />
      </search>
      {error !== null && (
        <ErrorNotice error={error} what="The catalog could not be loaded" retry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Loading what="the catalog" />}
      {found.length > 0 && (
        <PlaybookTable
          entries={found}
          runs={runs.data}
          onRun={({ path }) => {
            setOpened({ dialog: "run", path });
          }}
          onVersions={({ path }) => {
            setOpened({ dialog: "versions", path });
          }}
          onDelete={(entry) => {
            setOpened({ dialog: "delete", entry });
          }}
        />
      )}
      {data !== undefined && found.length === 0 && (
        <section className="panel">
          {data.length > 0 ? (
            <Empty title="Nothing matches">No playbook has all of these words. Try fewer of them.</Empty>
          ) : (
            <Empty title="The catalog is empty">
              <p>
                Register a playbook here, or with <code>noetl catalog register FILE</code>.
              </p>
              <p className="empty-actions">
                <button type="button" onClick={openRegister}>
                  Register a playbook
                </button>
                <Link className="button button-plain" to="/editor">
                  Write one in the editor
                </Link>
              </p>
            </Empty>
          )}
        </section>
      )}
      {opened?.dialog === "register" && <RegisterDialog onClose={close} />}
      {opened?.dialog === "run" && <RunDialog path={opened.path} version={opened.version} onClose={close} />}
      {opened?.dialog === "versions" && (
        <VersionsDialog
          path={opened.path}
          onClose={close}
          onRun={(version) => {
            setOpened({ dialog: "run", path: opened.path, version });
          }}
        />
      )}
      {opened?.dialog === "delete" && (
        <ConfirmDialog
          title="Delete this playbook?"
          action="Delete all versions"
          run={() => deleteEntry(opened.entry.path)}
          onClose={close}
          onDone={() => {
            toast(`${opened.entry.path} is deleted`);
            close();
            void client.invalidateQueries({ queryKey: ["catalog"] });
          }}
        >
          <p>
            All versions of <bdi>{opened.entry.path}</bdi> go, {opened.entry.version} or fewer. What has run
            stays in the list of executions.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
