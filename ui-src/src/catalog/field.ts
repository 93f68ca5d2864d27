// The fields of the form for a workload: their kinds, by the playbook's `workload_schema` or else by the default of each
// value, and what their texts mean. The server checks the rest of the schema. Pure.
import { isRecord } from "../api/request";

export type FieldKind = "text" | "lines" | "number" | "integer" | "boolean" | "choice" | "date" | "json";

export interface Field {
  name: string;
  kind: FieldKind;
  /** The text with which the field begins; empty when there is no default. A choice is in JSON. */
  initial: string;
  hasDefault: boolean;
  /** Whether the schema requires a value. */
  isRequired: boolean;
  description?: string;
  /** The values to choose from. */
  options?: readonly unknown[];
}

const LINE_LIMIT = 80;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Returns the fields of a workload and of the properties that only its schema names. A text of several lines among the
 * given values has a field that can show it.
 */
export function fieldsOf(
  workload: Record<string, unknown>,
  given: Record<string, unknown> = {},
  schema: Record<string, unknown> = {},
): Field[] {
  const properties = isRecord(schema.properties) ? schema.properties : {};
  const listed: unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const required = new Set(listed.filter((name) => typeof name === "string"));
  const names = new Set([...Object.keys(workload), ...Object.keys(properties), ...required]);
  return [...names].map((name) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const hasDefault = Object.hasOwn(workload, name);
    const value = hasDefault ? workload[name] : undefined;
    const field: Field = {
      name,
      hasDefault,
      isRequired: required.has(name),
      ...kindOf(isRecord(property) ? property : {}, value, hasDefault),
    };
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    const hasLines = field.kind === "text" && typeof text === "string" && /[\r\n]/.test(text);
    return hasLines ? { ...field, kind: "lines" } : field;
  });
}

type Kind = Pick<Field, "kind" | "initial" | "description" | "options">;

function kindOf(schema: Record<string, unknown>, value: unknown, hasDefault: boolean): Kind {
  const described = typeof schema.description === "string" ? { description: schema.description } : {};
  if (Array.isArray(schema.enum)) {
    const options: unknown[] = schema.enum;
    // A default that is none of them, such as a template, is shown as well.
    const isOther = hasDefault && !options.some((option) => JSON.stringify(option) === JSON.stringify(value));
    const initial = hasDefault ? JSON.stringify(value) : "";
    return { kind: "choice", initial, options: isOther ? [value, ...options] : options, ...described };
  }
  const kind = byType(schema, value) ?? (hasDefault ? kindOfValue(value) : "json");
  // A template stands for a value of any type, and is shown as it is.
  const isText = kind !== "json" || isTemplate(value);
  const initial = !hasDefault ? "" : isText ? String(value) : JSON.stringify(value ?? null, null, 2);
  return { kind, initial, ...described };
}

/** Returns the kind for a type of a schema; undefined when the default is of another one, so that it decides. */
function byType({ type, format }: Record<string, unknown>, value: unknown): FieldKind | undefined {
  switch (type) {
    case "string":
      if (value !== undefined && typeof value !== "string") return undefined;
      if (format === "date" && (value === undefined || DATE.test(value))) return "date";
      return value === undefined ? "text" : undefined;
    case "integer":
    case "number":
      return value === undefined || typeof value === "number" || isTemplate(value) ? type : undefined;
    case "boolean":
      if (isTemplate(value)) return "json";
      return value === undefined || typeof value === "boolean" ? type : undefined;
    case "array":
    case "object":
      return isTemplate(value) ? "json" : undefined;
    default:
      return undefined;
  }
}

function isTemplate(value: unknown): boolean {
  return typeof value === "string" && /\{\{|\{%/.test(value);
}

function kindOfValue(value: unknown): FieldKind {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return "number";
  if (typeof value !== "string") return "json";
  return value.includes("\n") || value.length > LINE_LIMIT ? "lines" : "text";
}

/** Returns the text with which a field shows a value. */
export function textOf({ kind }: Field, value: unknown): string {
  if (kind === "choice") return JSON.stringify(value);
  return kind === "json" ? JSON.stringify(value, null, 2) : String(value);
}

/** Returns the value of a field's text, or why it has none. */
export function valueOf({ kind, options }: Field, text: string): { value?: unknown; error?: string } {
  switch (kind) {
    case "text":
    case "lines":
      return { value: text };
    case "boolean":
      return text === "" ? { error: "Choose a value." } : { value: text === "true" };
    case "choice": {
      const known = options?.some((option) => JSON.stringify(option) === text) === true;
      return known ? { value: JSON.parse(text) as unknown } : { error: "Choose a value." };
    }
    case "date":
      return DATE.test(text) ? { value: text } : { error: "This is a date." };
    case "number":
    case "integer": {
      const number = Number(text);
      if (text.trim() === "" || !Number.isFinite(number)) {
        return { error: "This is a number, such as 10 or 0.5." };
      }
      if (Number.isInteger(number) && !Number.isSafeInteger(number)) {
        return { error: "This number has more digits than a browser keeps." };
      }
      return kind === "integer" && !Number.isInteger(number)
        ? { error: "This is a whole number, such as 10." }
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
