// Questions about playbooks: the catalog, validation, the flow of a playbook, and starting one.
import { ApiError, hasFields, isRecord, query, request, type Problem } from "./request";

export interface Entry {
  catalog_id: string;
  path: string;
  name: string;
  version: number;
  kind: string;
  /** Null where the list was asked for without it. */
  content: string | null;
  description: string | null;
  payload: Record<string, unknown> | null;
  created_at: string;
}

export interface GraphNode {
  id: string;
  label: string;
  description: string | null;
  kind: "start" | "end" | "step" | "loop";
  tools: string[];
  line: number;
  entry: boolean;
  loop: { iterator: string; mode: string } | null;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  kind: "next" | "arc" | "case" | "call";
  condition: string | null;
  line: number;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export interface Validation {
  valid: boolean;
  problems: Problem[];
  name?: string | null;
  path?: string | null;
  workload?: Record<string, unknown> | null;
  graph?: Graph | null;
}

export interface Registered {
  path: string;
  version: number;
  catalog_id: string;
  warnings?: Problem[];
}

export interface Started {
  execution_id: string;
}

export interface StartOrder {
  path: string;
  version?: number | undefined;
  payload: Record<string, unknown>;
}

const isEntry = hasFields<Entry>({ path: "string", version: "number", catalog_id: "string" });
const isEntries = hasFields<{ entries: Entry[] }>({ entries: "array" });
export const isStarted = hasFields<Started>({ execution_id: "string" });
export const isGraph = hasFields<Graph>({ nodes: "array", edges: "array" });

/** The newest version of every playbook, without its text. */
export async function listPlaybooks(signal?: AbortSignal): Promise<Entry[]> {
  const body = { resource_type: "Playbook", latest: true, content: false };
  return (await request("/api/catalog/list", isEntries, { method: "POST", body, signal })).entries;
}

/** Every version of one playbook, newest first, without its text. */
export async function listVersions(path: string, signal?: AbortSignal): Promise<Entry[]> {
  const body = { resource_type: "Playbook", path, content: false };
  const { entries } = await request("/api/catalog/list", isEntries, { method: "POST", body, signal });
  return entries.filter((entry) => entry.path === path).sort((a, b) => b.version - a.version);
}

export function getEntry(path: string, version?: number, signal?: AbortSignal): Promise<Entry> {
  const body = { path, version: version ?? "latest" };
  return request("/api/catalog/resource", isEntry, { method: "POST", body, signal });
}

export function validate(content: string, signal?: AbortSignal): Promise<Validation> {
  const isValidation = hasFields<Validation>({ valid: "boolean", problems: "array" });
  return request("/api/catalog/validate", isValidation, { method: "POST", body: { content }, signal });
}

export function register(content: string): Promise<Registered> {
  const isRegistered = hasFields<Registered>({ path: "string", version: "number" });
  return request("/api/catalog/register", isRegistered, { method: "POST", body: { content } });
}

export async function deleteEntry(path: string, version?: number): Promise<number> {
  const isDeleted = hasFields<{ deleted: number }>({ deleted: "number" });
  const address = `/api/catalog/entry${query({ path, version })}` as const;
  return (await request(address, isDeleted, { method: "DELETE" })).deleted;
}

export function start({ path, version, payload }: StartOrder): Promise<Started> {
  const body = version === undefined ? { path, payload } : { path, version, payload };
  return request("/api/execute", isStarted, { method: "POST", body });
}

/** The `workload` a playbook declares; what a run may change. */
export function workloadOf(entry: Entry): Record<string, unknown> {
  const workload = entry.payload?.workload;
  return isRecord(workload) ? workload : {};
}

/** What is wrong, in the form of a problem, whatever refused it. */
export function problemsOf(error: unknown): readonly Problem[] {
  return error instanceof ApiError ? error.problems : [];
}
