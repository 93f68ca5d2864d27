// Requests for credentials. Their data is sent to the server and never requested.
import { hasFields, request } from "./request";
import type {
  CredentialDeleted,
  CredentialItem,
  CredentialList,
  CredentialRequest,
  CredentialTest,
} from "./schema";

const isCredential = hasFields<CredentialItem>({ name: "string", type: "string" });

export async function listCredentials(signal?: AbortSignal): Promise<CredentialItem[]> {
  const isList = hasFields<CredentialList>({ items: "array" });
  return (await request("/api/credentials", isList, { signal })).items;
}

export function saveCredential(credential: CredentialRequest): Promise<CredentialItem> {
  return request("/api/credentials", isCredential, { method: "POST", body: credential });
}

export async function deleteCredential(name: string): Promise<void> {
  await request(at(name), hasFields<CredentialDeleted>({ status: "string" }), { method: "DELETE" });
}

export function testCredential(name: string): Promise<CredentialTest> {
  const isOutcome = hasFields<CredentialTest>({ ok: "boolean", message: "string" });
  return request(`${at(name)}/test`, isOutcome, { method: "POST", body: {} });
}

function at(name: string): `/api/${string}` {
  return `/api/credentials/${encodeURIComponent(name)}`;
}
