// The form for a playbook's workload: the field for each value, and the payload of the form. Only changed values
// are sent, so that the playbook's own defaults apply to the others. Pure.
export type FieldKind = "text" | "lines" | "number" | "boolean" | "json";

export interface Field {
  name: string;
  kind: FieldKind;
  /** The initial text of the field; booleans are "true" and "false". */
  initial: string;
}

const LINE_LIMIT = 80;

/** Returns the fields of a workload. A text of several lines among the given values has a field that can show it. */
export function fieldsOf(workload: Record<string, unknown>, given: Record<string, unknown> = {}): Field[] {
  return Object.entries(workload).map(([name, value]) => {
    const field = fieldOf(value);
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    const hasLines = field.kind === "text" && typeof text === "string" && /[\r\n]/.test(text);
    return { name, ...field, kind: hasLines ? "lines" : field.kind };
  });
}

function fieldOf(value: unknown): Omit<Field, "name"> {
  if (typeof value === "boolean") return { kind: "boolean", initial: String(value) };
  if (typeof value === "number") return { kind: "number", initial: String(value) };
  if (typeof value === "string") {
    return { kind: value.includes("\n") || value.length > LINE_LIMIT ? "lines" : "text", initial: value };
  }
  return { kind: "json", initial: JSON.stringify(value ?? null, null, 2) };
}

export interface Filled {
  payload: Record<string, unknown>;
  /** By field name, the reason why the value cannot be sent. */
  errors: Record<string, string>;
}

export function payloadOf(fields: readonly Field[], values: Readonly<Record<string, string>>): Filled {
  const payload: [string, unknown][] = [];
  const errors: [string, string][] = [];
  for (const { name, kind, initial } of fields) {
    const text = Object.hasOwn(values, name) ? (values[name] ?? initial) : initial;
    if (text === initial) continue;
    const read = valueOf(kind, text);
    if (read.error === undefined) payload.push([name, read.value]);
    else errors.push([name, read.error]);
  }
  // Object.fromEntries, because a workload may have a key such as __proto__.
  return { payload: Object.fromEntries(payload), errors: Object.fromEntries(errors) };
}

/** Returns the texts of the fields for a payload, or why the form cannot show it. */
export function textsOf(
  fields: readonly Field[],
  payload: Readonly<Record<string, unknown>>,
): { values: Record<string, string> } | { error: string } {
  const values: [string, string][] = [];
  for (const [name, value] of Object.entries(payload)) {
    const field = fields.find((known) => known.name === name);
    if (field === undefined) return { error: `The form has no field for ${name}, so it stays JSON.` };
    const text = field.kind === "json" ? JSON.stringify(value, null, 2) : String(value);
    const read = valueOf(field.kind, text);
    if (read.error !== undefined || JSON.stringify(read.value) !== JSON.stringify(value)) {
      return { error: `The field of ${name} cannot show this value, so it stays JSON.` };
    }
    values.push([name, text]);
  }
  return { values: Object.fromEntries(values) };
}

function valueOf(kind: FieldKind, text: string): { value?: unknown; error?: string } {
  switch (kind) {
    case "text":
    case "lines":
      return { value: text };
    case "boolean":
      return { value: text === "true" };
    case "number": {
      const number = Number(text);
      return text.trim() === "" || !Number.isFinite(number)
        ? { error: "This is a number, such as 10 or 0.5." }
        : { value: number };
    }
    case "json":
      try {
        return { value: JSON.parse(text) as unknown };
      } catch (error) {
        return { error: `This is JSON, and cannot be read: ${String(error).replace(/^SyntaxError: /, "")}` };
      }
  }
}

/** Parses a payload that was typed as JSON, which must be an object. */
export function rawPayload(text: string): { payload: Record<string, unknown> } | { error: string } {
  if (text.trim() === "") return { payload: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { error: `This cannot be read: ${String(error).replace(/^SyntaxError: /, "")}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { error: 'The payload is a JSON object, such as {"message": "hello"}.' };
  }
  return { payload: value as Record<string, unknown> };
}

/** Whether two payloads have the same values, in any order. */
export function isSame(one: Record<string, unknown>, other: Record<string, unknown>): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every(
      (name) => Object.hasOwn(other, name) && JSON.stringify(one[name]) === JSON.stringify(other[name]),
    )
  );
}
