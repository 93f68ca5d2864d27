// What the component tests share: the application at an address, and a server that answers as told.
// Nothing here reaches the network.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, vi } from "vitest";
import type { BuildStamp } from "./api";
import { App } from "./App";
import { createQueryClient } from "./queries";

export const STAMP: BuildStamp = {
  schema: 1,
  name: "noetl",
  version: "0.1.0",
  commit: "0123456789abcdef0123456789abcdef01234567",
  target: "aarch64-unknown-linux-musl",
  target_features: "neon,aes",
  rustc: "rustc 1.95.0 (59807616e 2026-04-14)",
  ui_sha256: "f".repeat(64),
  default_port: 8082,
  ui_embedded: true,
};

afterEach(cleanup);

export function renderAt(path: string) {
  return render(
    <QueryClientProvider client={createQueryClient()}>
      <MemoryRouter initialEntries={[path]}>
        <App />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

/** Replaces `fetch`: each path has a function that answers, and what has none gets a 404. */
export function serve(answers: Record<string, () => Response>) {
  // A function that throws stands for a connection that breaks.
  const fetch = vi.fn<(path: string, init?: RequestInit) => Promise<Response>>((path) =>
    Promise.resolve().then(() => (answers[path] ?? notFound)()),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status });
}

export function refuseConnection(): never {
  throw new TypeError("Failed to fetch");
}

export const RUNNING = {
  "/api/health": () => json({ status: "ok" }),
  "/api/version": () => json(STAMP),
};

function notFound(): Response {
  return json({ detail: "API endpoint not found" }, 404);
}
