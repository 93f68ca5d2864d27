// The form field for one value of a workload, by its kind.
import { useId } from "react";
import type { Field, FieldKind } from "./field";

const HINTS: Record<FieldKind, string> = {
  text: "text",
  lines: "text",
  number: "number",
  integer: "whole number",
  boolean: "yes or no",
  choice: "choice",
  date: "date",
  json: "JSON",
};

interface Props {
  field: Field;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

export function WorkloadField({ field, value, error, onChange }: Props) {
  const { name, kind, initial, hasDefault, isRequired, description, options = [] } = field;
  const id = useId();
  // "1" is in quotes when 1 is to be chosen as well.
  const others = new Set(options.filter((option) => typeof option !== "string").map(String));
  const shared = {
    id,
    value,
    "aria-invalid": error !== undefined,
    "aria-required": isRequired,
    "aria-describedby": description === undefined ? `${id}-error` : `${id}-description ${id}-error`,
    onChange: (event: { target: { value: string } }) => {
      onChange(event.target.value);
    },
  };
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        <bdi>{name}</bdi>{" "}
        <span className="muted">
          {HINTS[kind]}
          {isRequired && ", required"}
        </span>
        {value !== initial && <span className="changed">changed</span>}
      </label>
      {description !== undefined && (
        <span className="field-description" id={`${id}-description`}>
          <bdi>{description}</bdi>
        </span>
      )}
      {kind === "choice" && (
        <select {...shared}>
          {!hasDefault && <option value="">none</option>}
          {options.map((option) => {
            const text = JSON.stringify(option);
            return (
              <option key={text} value={text}>
                {typeof option === "string" && !others.has(option) ? option : text}
              </option>
            );
          })}
        </select>
      )}
      {kind === "boolean" && (
        <select {...shared}>
          {!hasDefault && <option value="">none</option>}
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      )}
      {kind === "text" && <input type="text" dir="auto" {...shared} />}
      {kind === "date" && <input type="date" name={name} {...shared} />}
      {(kind === "number" || kind === "integer") && (
        <input type="text" inputMode={kind === "integer" ? "numeric" : "decimal"} {...shared} />
      )}
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
