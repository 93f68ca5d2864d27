// Requests for playbooks: the catalog, validation, the flow of a playbook, and starting one.
import { ApiError, hasFields, isRecord, query, request } from "./request";
import type {
  CatalogDeleted,
  CatalogEntries,
  CatalogEntry,
  CatalogListRequest,
  CatalogResourceRequest,
  CatalogRuns,
  ExecuteRequest,
  Graph,
  Problem,
  Registered,
  Registration,
  Started,
  ValidateRequest,
  Validation,
} from "./schema";

const isEntry = hasFields<CatalogEntry>({ path: "string", version: "number", catalog_id: "string" });
const isEntries = hasFields<CatalogEntries>({ entries: "array" });
export const isStarted = hasFields<Started>({ execution_id: "string" });
export const isGraph = hasFields<Graph>({ nodes: "array", edges: "array" });

/** Returns the newest version of every playbook, without its text. */
export async function listPlaybooks(signal?: AbortSignal): Promise<CatalogEntry[]> {
  const body: CatalogListRequest = { resource_type: "Playbook", latest: true, content: false };
  return (await request("/api/catalog/list", isEntries, { method: "POST", body, signal })).entries;
}

/** Returns all versions of a playbook, newest first, without their text. */
export async function listVersions(path: string, signal?: AbortSignal): Promise<CatalogEntry[]> {
  const body: CatalogListRequest = { resource_type: "Playbook", path, content: false };
  const { entries } = await request("/api/catalog/list", isEntries, { method: "POST", body, signal });
  return entries.filter((entry) => entry.path === path).sort((a, b) => b.version - a.version);
}

export function getEntry(path: string, version?: number, signal?: AbortSignal): Promise<CatalogEntry> {
  const body: CatalogResourceRequest = { path, version: version ?? "latest" };
  return request("/api/catalog/resource", isEntry, { method: "POST", body, signal });
}

export function validate(content: string, signal?: AbortSignal): Promise<Validation> {
  const body: ValidateRequest = { content };
  const isValidation = hasFields<Validation>({ valid: "boolean", problems: "array" });
  return request("/api/catalog/validate", isValidation, { method: "POST", body, signal });
}

/** Registers a text. With a base, the answer is 409 unless that is the latest version; 0 is the base of a new playbook. */
export function register(content: string, base?: number): Promise<Registered> {
  const body: Registration = base === undefined ? { content } : { content, base_version: base };
  const isRegistered = hasFields<Registered>({ path: "string", version: "number" });
  return request("/api/catalog/register", isRegistered, { method: "POST", body });
}

export async function deleteEntry(path: string, version?: number): Promise<number> {
  const isDeleted = hasFields<CatalogDeleted>({ deleted: "number" });
  const address = `/api/catalog/entry${query({ path, version })}` as const;
  return (await request(address, isDeleted, { method: "DELETE" })).deleted;
}

export function getGraph(path: string, signal?: AbortSignal): Promise<Graph> {
  const isGraph = hasFields<Graph>({ nodes: "array", edges: "array" });
  return request(`/api/catalog/graph${query({ path })}`, isGraph, { signal });
}

/** Returns the newest executions of each playbook that has run, by its path. */
export async function listRuns(signal?: AbortSignal): Promise<CatalogRuns["runs"]> {
  return (await request("/api/catalog/runs", hasFields<CatalogRuns>({ runs: "object" }), { signal })).runs;
}

export function start(order: ExecuteRequest): Promise<Started> {
  return request("/api/execute", isStarted, { method: "POST", body: order });
}

/** Returns the `workload` of a playbook, whose values a run may override. */
export function workloadOf(entry: CatalogEntry): Record<string, unknown> {
  const workload = entry.payload?.workload;
  return isRecord(workload) ? workload : {};
}

/** Returns the `workload_schema` of a playbook, a JSON Schema for its input; empty without one. */
export function schemaOf(entry: CatalogEntry): Record<string, unknown> {
  const schema = entry.payload?.workload_schema;
  return isRecord(schema) ? schema : {};
}

/** Returns the problems of an error. Errors other than ApiError have none. */
export function problemsOf(error: unknown): readonly Problem[] {
  return error instanceof ApiError ? error.problems : [];
}
