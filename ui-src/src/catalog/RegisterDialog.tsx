// Registers a playbook that is pasted or dropped. The server validates it before it is registered.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { Link } from "react-router";
import { problemsOf, register, validate } from "../api/catalog";
import { useDebounced } from "../live/useDebounced";
import { Dialog } from "../ui/Dialog";
import { DropZone } from "../ui/DropZone";
import { ErrorNotice } from "../ui/notices";
import { toast } from "../ui/toasts";
import { ProblemList } from "./ProblemList";

export function RegisterDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [content, setContent] = useState("");
  const [fileError, setFileError] = useState("");
  const settled = useDebounced(content, 300);
  const check = useQuery({
    queryKey: ["validate", settled],
    queryFn: ({ signal }) => validate(settled, signal),
    enabled: settled.trim() !== "",
    gcTime: 0,
  });
  const save = useMutation({
    mutationFn: (text: string) => register(text),
    onSuccess: async ({ path, version }) => {
      toast(`${path} is registered as version ${version}`);
      await client.invalidateQueries({ queryKey: ["catalog"] });
      onClose();
    },
  });

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (content.trim() !== "" && !save.isPending) save.mutate(content);
  }

  const found = check.data;
  const refusals = problemsOf(save.error);
  return (
    <Dialog title="Register a playbook" size="large" onClose={onClose}>
      <form onSubmit={submit}>
        <div className="dialog-body form">
          <DropZone
            accept=".yaml,.yml,application/yaml,text/yaml"
            what="a YAML file"
            onText={(text) => {
              setFileError("");
              setContent(text);
            }}
            onError={setFileError}
          />
          {fileError !== "" && (
            <p className="error-line" role="alert">
              {fileError}
            </p>
          )}
          <label className="field">
            <span className="field-label">Or paste it</span>
            <textarea
              className="code"
              rows={14}
              spellCheck={false}
              value={content}
              placeholder={
                "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata:\n  name: hello\n  path: examples/hello"
              }
              onChange={(event) => {
                setContent(event.target.value);
              }}
            />
          </label>
          <div role="status" className="check">
            {settled.trim() !== "" && found?.valid === true && (
              <p className="ok-line">
                Valid: <bdi>{found.path ?? found.name ?? "a playbook"}</bdi>
              </p>
            )}
            {settled.trim() !== "" && found?.valid === false && (
              <p className="error-line">Not valid yet. It can only be registered without errors.</p>
            )}
          </div>
          <ProblemList problems={refusals.length > 0 ? refusals : (found?.problems ?? [])} />
          {save.error !== null && <ErrorNotice error={save.error} what="It was not registered" />}
          {check.error !== null && <ErrorNotice error={check.error} what="It could not be checked" />}
        </div>
        <div className="dialog-footer">
          <Link className="button button-plain" to="/editor">
            Write it in the editor instead
          </Link>
          <button type="submit" aria-disabled={content.trim() === "" || save.isPending}>
            {save.isPending ? "Registering …" : "Register"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
