// Starts the real `noetl server start` on a free port with temporary data and home folders; stops with the test.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionState, ExecutionStatus, Started } from "../src/api/schema";

const START_SECONDS = 30;
const STOP_SECONDS = 10;

export interface Server {
  url: string;
  /** The folder with its data, with which another server can be started. */
  folder: string;
  post: <T>(path: string, body: unknown) => Promise<T>;
  get: <T>(path: string) => Promise<T>;
  register: (content: string) => Promise<void>;
  execute: (path: string, payload?: object) => Promise<string>;
  waitUntilEnded: (id: string) => Promise<ExecutionStatus>;
  stop: () => Promise<void>;
}

export interface ServerOptions {
  environment?: Record<string, string>;
  arguments?: readonly string[];
  token?: string;
}

export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const binary = process.env.NOETL_BIN;
  if (binary === undefined || !existsSync(binary)) {
    throw new Error("NOETL_BIN names no binary; `cargo xtask test --ui` sets it");
  }
  const folder = mkdtempSync(join(tmpdir(), "noetl-ui-"));
  const child = spawn(
    binary,
    ["server", "start", "--port", "0", "--data-dir", join(folder, "data"), ...(options.arguments ?? [])],
    {
      // The environment of the developer must not affect the server.
      env: {
        PATH: process.env.PATH ?? "",
        HOME: folder,
        ...(process.env.NOETL_UI_DIR === undefined ? {} : { NOETL_UI_DIR: process.env.NOETL_UI_DIR }),
        ...options.environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const url = await addressOf(child);
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;

  async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const init: RequestInit = { method, headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await fetch(url + path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  const server: Server = {
    url,
    folder,
    post: (path, body) => ask("POST", path, body),
    get: (path) => ask("GET", path),
    register: async (content) => {
      await server.post("/api/catalog/register", { content });
    },
    execute: async (path, payload = {}) =>
      (await server.post<Started>("/api/execute", { path, payload })).execution_id,
    waitUntilEnded: async (id) => {
      for (;;) {
        const { status } = await server.get<ExecutionState>(`/api/executions/${id}/status`);
        if (status !== "RUNNING") return status;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
      await ended;
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

/** Reads the address from the line that the server prints. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => {
      reject(new Error(`the server did not say where it listens:\n${output}`));
    }, START_SECONDS * 1000);
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const address = /listening on (http:\/\/[\d.]+:\d+)/.exec(output)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      // 0.0.0.0 is not a destination; use the loopback address.
      resolve(address.replace("0.0.0.0", "127.0.0.1"));
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code ?? "a signal"}:\n${output}`));
    });
  });
}
