// A labelled field with its error. Secrets are masked, and the browser is told not to store them.
import { useId } from "react";

interface Props {
  label: string;
  value: string;
  error?: string | undefined;
  isSecret?: boolean;
  isLong?: boolean;
  onChange: (value: string) => void;
}

export function TextField({ label, value, error, isSecret = false, isLong = false, onChange }: Props) {
  const id = useId();
  const shared = {
    id,
    value,
    spellCheck: false,
    "aria-invalid": error !== undefined,
    "aria-describedby": `${id}-error`,
    onChange: (event: { target: { value: string } }) => {
      onChange(event.target.value);
    },
  };
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {isLong ? (
        <textarea className="code" rows={6} {...shared} />
      ) : (
        <input
          type={isSecret ? "password" : "text"}
          autoComplete={isSecret ? "new-password" : "off"}
          {...shared}
        />
      )}
      <span className="field-error" id={`${id}-error`} role="alert">
        {error}
      </span>
    </div>
  );
}
