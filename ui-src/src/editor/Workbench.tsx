// The editor of one playbook: its text, its problems, its flow, and saving.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { listVersions, problemsOf, register } from "../api/catalog";
import { ApiError } from "../api/request";
import { ProblemList } from "../catalog/ProblemList";
import { RunDialog } from "../catalog/RunDialog";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { GraphPanel } from "../graph/GraphPanel";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { count } from "../ui/format";
import { ErrorNotice, Loading } from "../ui/notices";
import { toast } from "../ui/toasts";
import type { Target } from "./CodeEditor";
import { clashOf, pathIn, type Clash } from "./clash";
import { Comparison } from "./Comparison";
import { draftKey, draftOf, dropDraft, keepDraft } from "./drafts";
import { useValidation } from "./useValidation";
import { WorkbenchHeader } from "./WorkbenchHeader";

const CodeEditor = lazy(() => import("./CodeEditor"));

interface Props {
  path: string;
  version: number | undefined;
  /** The text in the catalog, or the template of a new playbook. */
  saved: string;
  line?: number;
  compare?: number;
}

export function Workbench({ path, version, saved, line, compare }: Props) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [, setParameters] = useSearchParams();
  const key = draftKey(path, version);
  const [content, setContent] = useState(() => draftOf(key) ?? saved);
  const [discards, setDiscards] = useState(0);
  const [target, setTarget] = useState<Target | undefined>(
    line === undefined ? undefined : { line, column: 0 },
  );
  const [isRunning, setRunning] = useState(false);
  const validation = useValidation(content);
  const versions = useQuery({
    queryKey: ["catalog", "versions", path],
    queryFn: ({ signal }) => listVersions(path, signal),
    enabled: path !== "",
  });
  const isChanged = content !== saved;
  useUnloadWarning(isChanged);

  const save = useMutation({
    mutationFn: ({ text, base }: { text: string; base?: number }) => register(text, base),
    onSuccess: async (registered) => {
      dropDraft(key);
      toast(`${registered.path} is saved as version ${registered.version}`);
      await client.invalidateQueries({ queryKey: ["catalog"] });
      const parameters = new URLSearchParams({ id: registered.path, version: String(registered.version) });
      await navigate(`/editor?${parameters.toString()}`, { replace: path !== "" });
    },
    // Another version was saved between the question and the answer: asked again, with that one.
    onError: (error, { text }) => {
      if (error instanceof ApiError && error.status === 409) check.mutate(text);
    },
  });
  const [clash, setClash] = useState<Clash>();
  /** Saves the text, or asks first when that would follow a version that was not opened here. */
  const check = useMutation({
    mutationFn: async (text: string) => {
      const versions = await listVersions(pathIn(text) ?? path);
      return { clash: clashOf(text, path, version, versions), base: versions[0]?.version ?? 0 };
    },
    onSuccess: ({ clash, base }, text) => {
      if (clash === undefined) save.mutate({ text, base });
      else setClash(clash);
    },
    // The server says what is wrong with the text.
    onError: (_, text) => {
      save.mutate({ text });
    },
  });
  const isSaving = check.isPending || save.isPending;
  // A new playbook can be saved without changes to the template.
  const canSave = (isChanged || path === "") && !isSaving;
  const refusals = problemsOf(save.error);
  const problems = refusals.length > 0 && save.variables?.text === content ? refusals : validation.problems;

  return (
    <>
      <WorkbenchHeader
        path={path}
        version={version}
        versions={versions.data ?? []}
        compare={compare}
        isChanged={isChanged}
        isSaving={isSaving}
        canSave={canSave}
        onSave={() => {
          check.mutate(content);
        }}
        onRun={() => {
          setRunning(true);
        }}
        onDiscard={() => {
          dropDraft(key);
          setContent(saved);
          setDiscards(discards + 1);
        }}
        choose={(change) => {
          const next = { version, compare, ...change };
          const parameters = new URLSearchParams({ id: path });
          if (next.version !== undefined) parameters.set("version", String(next.version));
          if (next.compare !== undefined) parameters.set("compare", String(next.compare));
          setParameters(parameters);
        }}
      />
      {save.error !== null && <ErrorNotice error={save.error} what="It was not saved" />}
      <div className="workbench">
        <section className="panel bench-text" aria-label="Text">
          {compare === undefined ? (
            <ErrorBoundary>
              <Suspense fallback={<Loading what="the editor" />}>
                <CodeEditor
                  // Discarding changes creates a new editor with the saved text.
                  key={discards}
                  initial={content}
                  label={path === "" ? "Text of the new playbook" : `Text of ${path}`}
                  problems={problems}
                  target={target}
                  onChange={(text) => {
                    setContent(text);
                    keepDraft(key, text, saved);
                  }}
                  onSave={() => {
                    if (canSave) check.mutate(content);
                  }}
                />
              </Suspense>
            </ErrorBoundary>
          ) : (
            <Comparison path={path} version={compare} current={content} />
          )}
        </section>
        <section className="panel bench-flow" aria-labelledby="flow">
          <div className="panel-header">
            <h2 id="flow">Flow</h2>
            {validation.isGraphOld && <span className="muted">of the last text that could be read</span>}
          </div>
          {validation.graph === undefined ? (
            <p className="muted">The flow appears here as soon as the text can be read.</p>
          ) : (
            <GraphPanel
              graph={validation.graph}
              onSelect={(step) => {
                const node = validation.graph?.nodes.find(({ id }) => id === step);
                if (node !== undefined && node.line > 0) setTarget({ line: node.line, column: 0 });
              }}
            />
          )}
        </section>
        <section className="panel bench-problems" aria-label="Problems">
          <p role="status" className={verdictTone(validation.isValid, problems.length)}>
            {verdict(validation.isValid, problems)}
          </p>
          <ProblemList
            problems={problems}
            onGo={({ place }) => {
              setTarget({ line: place.line, column: place.column });
            }}
          />
          {validation.error !== null && (
            <ErrorNotice
              error={validation.error}
              what="The text could not be checked"
              retry={validation.retry}
            />
          )}
        </section>
      </div>
      {clash !== undefined && (
        <ConfirmDialog
          title={`Save as version ${clash.newest + 1} of ${clash.path}?`}
          action={`Save as version ${clash.newest + 1}`}
          run={() => save.mutateAsync({ text: content, base: clash.newest })}
          onDone={() => {
            setClash(undefined);
          }}
          onClose={() => {
            setClash(undefined);
          }}
        >
          <p>
            {clash.path === path ? (
              <>
                Version {clash.newest} was saved since version {version} was opened here. The new version would
                follow it without its changes.{" "}
                <Link to={`/editor?id=${encodeURIComponent(path)}&version=${clash.newest}&compare=${version ?? ""}`}>
                  Compare the two
                </Link>
              </>
            ) : (
              <>
                There is a playbook <bdi>{clash.path}</bdi> already, which was not opened here. Another{" "}
                <code>path</code> in the text makes a playbook of its own.
              </>
            )}
          </p>
        </ConfirmDialog>
      )}
      {isRunning && (
        <RunDialog
          path={path}
          version={version}
          hasUnsaved={isChanged}
          onClose={() => {
            setRunning(false);
          }}
        />
      )}
    </>
  );
}

function verdict(isValid: boolean | undefined, problems: readonly { severity: string }[]): string {
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const warnings = problems.length - errors;
  if (isValid === undefined) return "Checking …";
  if (isValid) return warnings === 0 ? "Valid" : `Valid, with ${count(warnings, "warning")}`;
  return count(Math.max(1, errors), "error");
}

function verdictTone(isValid: boolean | undefined, problems: number): string {
  if (isValid === undefined) return "verdict";
  return isValid ? `verdict verdict-ok${problems > 0 ? " verdict-warned" : ""}` : "verdict verdict-error";
}

/** Warns before the page is closed, which loses the drafts. Navigation inside the page keeps them. */
function useUnloadWarning(isChanged: boolean) {
  useEffect(() => {
    if (!isChanged) return;
    const warn = (event: BeforeUnloadEvent) => {
      event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => {
      window.removeEventListener("beforeunload", warn);
    };
  }, [isChanged]);
}
