// The payload of the form for a playbook's workload. Only changed values are sent, so that the playbook's own defaults
// apply to the others. Pure.
import type { Problem } from "../api/schema";
import { textOf, valueOf, type Field } from "./field";

export interface Filled {
  payload: Record<string, unknown>;
  /** By field name, the reason why the value cannot be sent. */
  errors: Record<string, string>;
}

export function payloadOf(fields: readonly Field[], values: Readonly<Record<string, string>>): Filled {
  const payload: [string, unknown][] = [];
  const errors: [string, string][] = [];
  for (const field of fields) {
    const { name, initial } = field;
    const text = own(values, name) ?? initial;
    if (text === initial) {
      if (field.isRequired && !field.hasDefault) errors.push([name, "This needs a value."]);
      continue;
    }
    const read = valueOf(field, text);
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
    const text = textOf(field, value);
    const read = valueOf(field, text);
    // An empty field without a default stands for no value.
    const isNothing = text === field.initial && !field.hasDefault;
    if (isNothing || read.error !== undefined || JSON.stringify(read.value) !== JSON.stringify(value)) {
      return { error: `The field of ${name} cannot show this value, so it stays JSON.` };
    }
    values.push([name, text]);
  }
  return { values: Object.fromEntries(values) };
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

/** Returns the entry of a record. A workload may have a key that every object has, such as constructor. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

export interface Misfits {
  /** What the server says of values that do not fit the schema, by the names of their fields. */
  errors: Record<string, string>;
  /** Problems that no field shows. */
  others: Problem[];
}

/** Divides the problems of a start among the fields of the form. Of each field the first problem is shown. */
export function misfitsOf(problems: readonly Problem[], fields: readonly Field[]): Misfits {
  const errors = new Map<string, string>();
  const others: Problem[] = [];
  for (const problem of problems) {
    const path = problem.place.field ?? "";
    const field = fields.find(({ name }) => {
      const own = `workload.${name}`;
      return path === own || path.startsWith(`${own}.`) || path.startsWith(`${own}[`);
    });
    if (field === undefined) {
      others.push(problem);
    } else if (!errors.has(field.name)) {
      const inner = path.slice(`workload.${field.name}`.length).replace(/^\./, "");
      errors.set(field.name, `${inner === "" ? "This" : inner} ${problem.message}.`);
    }
  }
  return { errors: Object.fromEntries(errors), others };
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
