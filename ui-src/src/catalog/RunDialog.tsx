// Starts a playbook with a form for its workload, or with a payload in JSON.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useMemo, useRef, useState, type SyntheticEvent } from "react";
import { useNavigate } from "react-router";
import { getEntry, problemsOf, schemaOf, start, workloadOf } from "../api/catalog";
import { rerun } from "../api/executions";
import type { CatalogEntry, ExecutionInput } from "../api/schema";
import { Dialog } from "../ui/Dialog";
import { ErrorNotice, Loading } from "../ui/notices";
import { fieldsOf } from "./field";
import { ProblemList } from "./ProblemList";
import { isSame, misfitsOf, own, payloadOf, rawPayload, textsOf } from "./workload";
import { WorkloadField } from "./WorkloadField";

interface Props {
  path: string;
  version?: number | undefined;
  /** Whether the editor has changes that this run is without. */
  hasUnsaved?: boolean;
  /** An earlier run, with whose input the form begins. */
  again?: EarlierRun;
  onClose: () => void;
}

export interface EarlierRun {
  id: string;
  input: ExecutionInput;
}

export function RunDialog({ path, version, hasUnsaved = false, again, onClose }: Props) {
  const { data, error, refetch } = useQuery({
    queryKey: ["entry", path, version ?? "latest"],
    queryFn: ({ signal }) => getEntry(path, version, signal),
    // The newest version may have changed since the list was loaded.
    staleTime: 0,
    gcTime: 0,
  });
  return (
    <Dialog title={`Run ${path}`} size="large" onClose={onClose}>
      {data === undefined && error === null && <Loading what="the playbook" />}
      {error !== null && (
        <ErrorNotice error={error} what="The playbook could not be loaded" retry={() => void refetch()} />
      )}
      {hasUnsaved && (
        <p className="dialog-body" role="note">
          The editor has changes that are not saved. The version that runs is without them.
        </p>
      )}
      {data !== undefined && <RunForm entry={data} again={again} onClose={onClose} />}
    </Dialog>
  );
}

interface FormProps {
  entry: CatalogEntry;
  again: EarlierRun | undefined;
  onClose: () => void;
}

function RunForm({ entry, again, onClose }: FormProps) {
  const input = again?.input;
  const navigate = useNavigate();
  const fields = useMemo(
    () => fieldsOf(workloadOf(entry), input?.payload, schemaOf(entry)),
    [entry, input],
  );
  const given = useMemo(() => textsOf(fields, input?.payload ?? {}), [fields, input]);
  // What the form cannot show is shown as JSON.
  const [mode, setMode] = useState<"form" | "json">("error" in given ? "json" : "form");
  const [values, setValues] = useState<Record<string, string>>("error" in given ? {} : given.values);
  const [json, setJson] = useState(JSON.stringify(input?.payload ?? {}, null, 2));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const jsonId = useId();
  const form = useRef<HTMLFormElement>(null);
  const run = useMutation({
    mutationFn: (payload: Record<string, unknown>) =>
      // The server has the input as it was, with numbers that this page would round.
      again !== undefined && isSame(payload, again.input.payload)
        ? rerun(again.id)
        : start({
            path: entry.path,
            version: entry.version,
            payload,
            ...(typeof input?.target === "string" ? { target: input.target } : {}),
          }),
    onSuccess: async ({ execution_id }) => {
      onClose();
      await navigate(`/execution/${execution_id}`);
    },
  });

  const misfits = misfitsOf(problemsOf(run.error), mode === "form" ? fields : []);

  /** Returns what the fields of the form say; one that the browser cannot read, such as half a date, has no value. */
  function fill() {
    const filled = payloadOf(fields, values);
    const inputs = Array.from(form.current?.querySelectorAll("input") ?? []);
    const unread = inputs.filter(({ name, validity }) => name !== "" && validity.badInput);
    const unreadErrors = unread.map(({ name }) => [name, "This is not complete."] as const);
    return { ...filled, errors: { ...filled.errors, ...Object.fromEntries(unreadErrors) } };
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (run.isPending) return;
    if (mode === "form") {
      const filled = fill();
      setErrors(filled.errors);
      if (Object.keys(filled.errors).length === 0) run.mutate(filled.payload);
      return;
    }
    const raw = rawPayload(json);
    setErrors("error" in raw ? { [jsonId]: raw.error } : {});
    if ("payload" in raw) run.mutate(raw.payload);
  }

  function change(to: "form" | "json") {
    if (to === "json") {
      // The values of the form are copied into the JSON. One that has no JSON keeps the form, which says why.
      const filled = fill();
      if (Object.keys(filled.errors).length > 0) {
        setErrors(filled.errors);
        return;
      }
      setJson(JSON.stringify(filled.payload, null, 2));
    } else {
      const raw = rawPayload(json);
      const shown = "error" in raw ? raw : textsOf(fields, raw.payload);
      if ("error" in shown) {
        setErrors({ [jsonId]: shown.error });
        return;
      }
      setValues(shown.values);
    }
    setErrors({});
    setMode(to);
  }

  return (
    <form ref={form} onSubmit={submit} noValidate>
      <div className="dialog-body form">
        <div className="form-head">
          <p className="muted">
            Version {entry.version}.{" "}
            {input === undefined
              ? "What you leave as it is follows the playbook."
              : "It begins with the input of that run; the rest follows the playbook."}
            {typeof input?.target === "string" && (
              <>
                {" "}
                It starts at step <bdi>{input.target}</bdi>.
              </>
            )}
          </p>
          <fieldset className="segments">
            <legend className="visually-hidden">How to give the payload</legend>
            {(["form", "json"] as const).map((option) => (
              <label key={option}>
                <input
                  className="visually-hidden"
                  type="radio"
                  name="mode"
                  checked={mode === option}
                  onChange={() => {
                    change(option);
                  }}
                />
                {option === "form" ? "Form" : "JSON"}
              </label>
            ))}
          </fieldset>
        </div>
        {mode === "form" && fields.length === 0 && (
          <p>This playbook declares no workload. It runs as it is, or with a payload given as JSON.</p>
        )}
        {mode === "form" &&
          fields.map((field) => (
            <WorkloadField
              key={field.name}
              field={field}
              value={own(values, field.name) ?? field.initial}
              error={own(errors, field.name) ?? own(misfits.errors, field.name)}
              onChange={(value) => {
                setValues({ ...values, [field.name]: value });
                if (run.isError) run.reset();
              }}
            />
          ))}
        {mode === "json" && (
          <label className="field">
            <span className="field-label">Payload</span>
            <textarea
              className="code"
              rows={12}
              spellCheck={false}
              value={json}
              aria-invalid={errors[jsonId] !== undefined}
              aria-describedby={jsonId}
              onChange={(event) => {
                setJson(event.target.value);
              }}
            />
            <span className="field-error" id={jsonId} role="alert">
              {errors[jsonId]}
            </span>
          </label>
        )}
        {run.error !== null && (
          <>
            <ErrorNotice error={run.error} what="It was not started" />
            <ProblemList problems={misfits.others} />
          </>
        )}
      </div>
      <div className="dialog-footer">
        <button type="button" className="button-plain" onClick={onClose}>
          Close
        </button>
        <button type="submit" aria-disabled={run.isPending}>
          {run.isPending ? "Starting …" : "Run"}
        </button>
      </div>
    </form>
  );
}
