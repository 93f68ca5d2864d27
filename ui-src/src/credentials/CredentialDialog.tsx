// Stores a credential. The data is sent to the server, removed from the page, and never shown again.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { saveCredential } from "../api/credentials";
import type { CredentialRequest } from "../api/schema";
import { rawPayload } from "../catalog/workload";
import { Dialog } from "../ui/Dialog";
import { ErrorNotice } from "../ui/notices";
import { toast } from "../ui/toasts";
import { TextField } from "./TextField";
import { dataOf, TYPES, type CredentialType } from "./types";

const FIRST: CredentialType = TYPES[0];

interface Props {
  /** The existing names. Saving under one of them replaces that credential. */
  taken: readonly string[];
  onClose: () => void;
}

export function CredentialDialog({ taken, onClose }: Props) {
  const client = useQueryClient();
  const [type, setType] = useState(FIRST);
  const [customType, setCustomType] = useState("");
  const [name, setName] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const [json, setJson] = useState("{}");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const isCustom = type.fields.length === 0;
  const save = useMutation({
    mutationFn: saveCredential,
    onSuccess: async () => {
      toast(`${name.trim()} is stored`);
      await client.invalidateQueries({ queryKey: ["credentials"] });
      onClose();
    },
    // Secrets must not stay in the mutation cache.
    gcTime: 0,
  });

  function fill(): { order: CredentialRequest | undefined; found: Record<string, string> } {
    const found: Record<string, string> = {};
    if (name.trim() === "") found.name = "Name is needed; playbooks refer to it.";
    if (isCustom) {
      if (customType.trim() === "") found.type = "Type is needed.";
      const raw = rawPayload(json);
      if ("error" in raw) found.json = raw.error;
      const data = "payload" in raw ? raw.payload : {};
      return { order: { name: name.trim(), type: customType.trim(), data }, found };
    }
    const { data, errors: missing } = dataOf(type, values);
    return { order: { name: name.trim(), type: type.type, data }, found: { ...found, ...missing } };
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    const { order, found } = fill();
    setErrors(found);
    if (order !== undefined && Object.keys(found).length === 0 && !save.isPending) save.mutate(order);
  }

  return (
    <Dialog title="New credential" onClose={onClose}>
      <form onSubmit={submit} noValidate autoComplete="off">
        <div className="dialog-body form">
          <TextField label="Name" value={name} error={errors.name} onChange={setName} />
          {taken.includes(name.trim()) && (
            <p className="warning-line" role="status">
              There is a credential of this name; saving replaces it.
            </p>
          )}
          <label className="field">
            <span className="field-label">Type</span>
            <select
              value={type.type}
              onChange={(event) => {
                setType(TYPES.find((known) => known.type === event.target.value) ?? FIRST);
                setErrors({});
              }}
            >
              {TYPES.map((known) => (
                <option key={known.type} value={known.type}>
                  {known.label}
                </option>
              ))}
            </select>
          </label>
          {type.fields.map(({ name: field, label, isSecret = false, isOptional = false, initial = "" }) => (
            <TextField
              key={`${type.type}-${field}`}
              label={isOptional ? `${label} (optional)` : label}
              value={values[field] ?? initial}
              isSecret={isSecret}
              error={errors[field]}
              onChange={(value) => {
                setValues({ ...values, [field]: value });
              }}
            />
          ))}
          {isCustom && (
            <>
              <TextField
                label="Name of the type"
                value={customType}
                error={errors.type}
                onChange={setCustomType}
              />
              <TextField label="Data as JSON" value={json} error={errors.json} onChange={setJson} isLong />
            </>
          )}
          <p className="muted">The server keeps the data. It is not shown on this page again.</p>
          {save.error !== null && <ErrorNotice error={save.error} what="It was not stored" />}
        </div>
        <div className="dialog-footer">
          <button type="button" className="button-plain" onClick={onClose}>
            Close
          </button>
          <button type="submit" aria-disabled={save.isPending}>
            {save.isPending ? "Storing …" : "Store"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
