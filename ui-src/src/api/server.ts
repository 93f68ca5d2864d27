// Requests for the server itself: health, build stamp, status, session, workers and the dashboard.
import { hasFields, isListOf, isRecord, request } from "./request";
import type {
  BuildStamp,
  Dashboard,
  Health,
  ServerInfo,
  SessionRequest,
  SessionState,
  Worker,
  WorkerList,
} from "./schema";

const isHealth = (answer: unknown): answer is Health => isRecord(answer) && answer.status === "ok";

const isBuildStamp = hasFields<BuildStamp>({
  schema: "number",
  name: "string",
  version: "string",
  commit: "string",
  target: "string",
  target_features: "string",
  rustc: "string",
  ui_sha256: ["string", "null"],
  default_port: "number",
  ui_embedded: "boolean",
});

/** Returns the OpenAPI document. */
export function getOpenApi(signal?: AbortSignal): Promise<object> {
  return request("/api/openapi.json", isRecord, { signal });
}

export function getHealth(signal?: AbortSignal): Promise<Health> {
  return request("/api/health", isHealth, { signal });
}

export function getVersion(signal?: AbortSignal): Promise<BuildStamp> {
  return request("/api/version", isBuildStamp, { signal });
}

export function getStatus(signal?: AbortSignal): Promise<ServerInfo> {
  return request("/api/status", hasFields<ServerInfo>({ status: "string", version: "string" }), { signal });
}

export function getDashboard(hours: number, signal?: AbortSignal): Promise<Dashboard> {
  const isDashboard = hasFields<Dashboard>({
    stats: "object",
    series: "array",
    slowest_steps: "array",
    running: "array",
    recent_failures: "array",
  });
  return request(`/api/dashboard/stats?hours=${hours}`, isDashboard, { signal });
}

export async function getWorkers(signal?: AbortSignal): Promise<Worker[]> {
  const isWorkers = hasFields<WorkerList>({ items: "array" });
  const { items } = await request("/api/worker/pools", isWorkers, { signal });
  return isListOf(hasFields<Worker>({ name: "string" }))(items) ? items : [];
}

export function getSession(signal?: AbortSignal): Promise<SessionState> {
  const isSession = hasFields<SessionState>({ required: "boolean", authenticated: "boolean" });
  return request("/api/session", isSession, { signal });
}

/** Ends the session of this browser. */
export async function signOut(): Promise<void> {
  await request("/api/session", isRecord, { method: "DELETE" });
}

/** Exchanges a token for a cookie that scripts cannot read. */
export async function signIn(token: string): Promise<void> {
  const body: SessionRequest = { token };
  await request("/api/session", isRecord, { method: "POST", body });
}
