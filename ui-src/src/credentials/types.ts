// The types of credentials that have a form, and the conversion of a form into the data that is sent. Pure.
export interface CredentialField {
  name: string;
  label: string;
  isSecret?: boolean;
  isNumber?: boolean;
  isOptional?: boolean;
  initial?: string;
}

export interface CredentialType {
  type: string;
  label: string;
  /** Empty for the type whose data is entered as JSON. */
  fields: readonly CredentialField[];
}

export const TYPES: readonly [CredentialType, ...CredentialType[]] = [
  {
    type: "postgres",
    label: "PostgreSQL",
    fields: [
      { name: "host", label: "Host", initial: "localhost" },
      { name: "port", label: "Port", isNumber: true, initial: "5432" },
      { name: "database", label: "Database" },
      { name: "user", label: "User" },
      { name: "password", label: "Password", isSecret: true },
      { name: "sslmode", label: "SSL mode", isOptional: true },
    ],
  },
  { type: "bearer", label: "Bearer token", fields: [{ name: "token", label: "Token", isSecret: true }] },
  {
    type: "basic",
    label: "User and password",
    fields: [
      { name: "username", label: "User" },
      { name: "password", label: "Password", isSecret: true },
    ],
  },
  {
    type: "api_key",
    label: "API key",
    fields: [
      { name: "header", label: "Header", initial: "X-API-Key" },
      { name: "key", label: "Key", isSecret: true },
    ],
  },
  {
    type: "header",
    label: "HTTP header",
    fields: [
      { name: "header", label: "Header", initial: "Authorization" },
      { name: "value", label: "Value", isSecret: true },
    ],
  },
  { type: "custom", label: "Other (JSON)", fields: [] },
];

export interface FilledCredential {
  data: Record<string, unknown>;
  errors: Record<string, string>;
}

export function dataOf(
  { fields }: CredentialType,
  values: Readonly<Record<string, string>>,
): FilledCredential {
  const data: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const { name, label, isNumber = false, isOptional = false, initial = "" } of fields) {
    const text = values[name] ?? initial;
    if (text === "") {
      if (!isOptional) errors[name] = `${label} is needed.`;
    } else if (isNumber) {
      if (/^\d+$/.test(text.trim())) data[name] = Number(text);
      else errors[name] = `${label} is a whole number.`;
    } else {
      data[name] = text;
    }
  }
  return { data, errors };
}
