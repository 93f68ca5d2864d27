// Questions about the server itself: health, build stamp, status, session, workers and the dashboard.
import type { Execution } from "./executions";
import { hasFields, isListOf, isRecord, request } from "./request";

export interface Health {
  status: "ok";
}

/** What the running server was built from. */
export interface BuildStamp {
  schema: number;
  name: string;
  version: string;
  commit: string;
  target: string;
  target_features: string;
  rustc: string;
  ui_sha256: string | null;
  default_port: number;
  ui_embedded: boolean;
}

export interface ServerFacts {
  status: string;
  version: string;
  server_name?: string;
  storage?: string;
  data_dir?: string;
  started_at?: string;
  uptime_seconds?: number;
  running_executions?: number;
  pending_commands?: number;
  auth?: string;
}

export interface WorkerPool {
  name: string;
  runtime_id: string;
  status: string;
  capacity: number | null;
  labels: unknown;
  pid: number | null;
  hostname: string | null;
  heartbeat: string | null;
  started_at: string | null;
  running: number;
}

export interface Bucket {
  start: string;
  completed: number;
  failed: number;
  cancelled: number;
  running: number;
}

export interface SlowStep {
  path: string;
  step: string;
  count: number;
  avg_seconds: number;
  max_seconds: number;
}

export interface Dashboard {
  stats: {
    total_executions: number;
    successful_executions: number;
    failed_executions: number;
    cancelled_executions: number;
    running_executions: number;
    total_playbooks: number;
    total_credentials: number;
    workers: number;
    success_rate: number | null;
  };
  series: Bucket[];
  slowest_steps: SlowStep[];
  running: Execution[];
  recent_failures: Execution[];
}

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

export function getHealth(signal?: AbortSignal): Promise<Health> {
  return request("/api/health", isHealth, { signal });
}

export function getVersion(signal?: AbortSignal): Promise<BuildStamp> {
  return request("/api/version", isBuildStamp, { signal });
}

export function getStatus(signal?: AbortSignal): Promise<ServerFacts> {
  return request("/api/status", hasFields<ServerFacts>({ status: "string", version: "string" }), { signal });
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

export async function getWorkers(signal?: AbortSignal): Promise<WorkerPool[]> {
  const isWorkers = hasFields<{ items: WorkerPool[] }>({ items: "array" });
  const { items } = await request("/api/worker/pools", isWorkers, { signal });
  return isListOf(hasFields<WorkerPool>({ name: "string" }))(items) ? items : [];
}

export interface Session {
  required: boolean;
  authenticated: boolean;
}

export function getSession(signal?: AbortSignal): Promise<Session> {
  const isSession = hasFields<Session>({ required: "boolean", authenticated: "boolean" });
  return request("/api/session", isSession, { signal });
}

/** Exchanges a token for the cookie that the browser keeps to itself. */
export async function signIn(token: string): Promise<void> {
  await request("/api/session", isRecord, { method: "POST", body: { token } });
}
