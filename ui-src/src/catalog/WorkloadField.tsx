// The form field for one value of a workload, by its kind.
import { useId } from "react";
import type { Field, FieldKind } from "./workload";

const HINTS: Record<FieldKind, string> = {
  text: "text",
  lines: "text",
  number: "number",
  boolean: "yes or no",
  json: "JSON",
};

interface Props {
  field: Field;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

export function WorkloadField({ field: { name, kind, initial }, value, error, onChange }: Props) {
  const id = useId();
  const shared = {
    id,
    value,
    "aria-invalid": error !== undefined,
    "aria-describedby": `${id}-error`,
    onChange: (event: { target: { value: string } }) => {
      onChange(event.target.value);
    },
  };
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        <bdi>{name}</bdi> <span className="muted">{HINTS[kind]}</span>
        {value !== initial && <span className="changed">changed</span>}
      </label>
      {kind === "boolean" && (
        <select {...shared}>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      )}
      {kind === "text" && <input type="text" dir="auto" {...shared} />}
      {kind === "number" && <input type="text" inputMode="decimal" {...shared} />}
      {kind === "lines" && <textarea dir="auto" rows={4} {...shared} />}
      {kind === "json" && (
        <textarea
          className="code"
          spellCheck={false}
          rows={Math.min(10, initial.split("\n").length + 1)}
          {...shared}
        />
      )}
      <span className="field-error" id={`${id}-error`} role="alert">
        {error}
      </span>
    </div>
  );
}
