// Questions about credentials. Their data goes to the server and is never asked for again.
import { hasFields, request } from "./request";

export interface Credential {
  id: string;
  name: string;
  type: string;
  description: string | null;
  tags: unknown;
  created_at: string;
  updated_at: string;
}

export interface NewCredential {
  name: string;
  type: string;
  description?: string;
  data: Record<string, unknown>;
}

export interface TestOutcome {
  ok: boolean;
  message: string;
}

const isCredential = hasFields<Credential>({ name: "string", type: "string" });

export async function listCredentials(signal?: AbortSignal): Promise<Credential[]> {
  const isList = hasFields<{ items: Credential[] }>({ items: "array" });
  return (await request("/api/credentials", isList, { signal })).items;
}

export function saveCredential(credential: NewCredential): Promise<Credential> {
  return request("/api/credentials", isCredential, { method: "POST", body: credential });
}

export async function deleteCredential(name: string): Promise<void> {
  await request(at(name), hasFields<{ status: string }>({ status: "string" }), { method: "DELETE" });
}

export function testCredential(name: string): Promise<TestOutcome> {
  const isOutcome = hasFields<TestOutcome>({ ok: "boolean", message: "string" });
  return request(`${at(name)}/test`, isOutcome, { method: "POST", body: {} });
}

function at(name: string): `/api/${string}` {
  return `/api/credentials/${encodeURIComponent(name)}`;
}
