// Shared by the component tests: renders the application at an address, with a fake server. No requests reach the
// network.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, vi } from "vitest";
import { App } from "./App";
import type { BuildStamp } from "./api/schema";
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

/** Replaces the browser's EventSource. A test opens it, sends events and breaks it. */
export class FakeEventSource extends EventTarget {
  static all: FakeEventSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  isClosed = false;
  readonly url: string;

  constructor(url: string) {
    super();
    this.url = url;
    FakeEventSource.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }

  send(name: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }

  /** Returns the open stream whose address begins with `start`. */
  static at(start: string): FakeEventSource {
    const found = FakeEventSource.all.findLast(({ url, isClosed }) => url.startsWith(start) && !isClosed);
    if (found === undefined) throw new Error(`no stream is open at ${start}`);
    return found;
  }
}

beforeEach(() => {
  FakeEventSource.all = [];
  vi.stubGlobal("EventSource", FakeEventSource);
});

export function renderAt(path: string) {
  return render(
    <QueryClientProvider client={createQueryClient()}>
      <MemoryRouter initialEntries={[path]}>
        <App />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

/** Replaces `fetch`: each path has a function that answers. Other paths answer 404. */
export function serve(answers: Record<string, () => Response>) {
  // A function that throws simulates a broken connection. The query of an address is ignored, unless there is an
  // answer for the whole address.
  const fetch = vi.fn<(path: string, init?: RequestInit) => Promise<Response>>((path) =>
    Promise.resolve().then(() => (answers[path] ?? answers[path.replace(/\?.*/, "")] ?? notFound)()),
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
  "/api/session": () => json({ required: false, authenticated: false }),
};

/** Returns the body of the last request to an address. */
export function sentTo(fetch: ReturnType<typeof serve>, path: string): unknown {
  const bodies = fetch.mock.calls.flatMap(([asked, init]) => (asked === path ? [init?.body] : []));
  const last = bodies.findLast((body) => typeof body === "string");
  if (last === undefined) throw new Error(`nothing was sent to ${path}`);
  return JSON.parse(last) as unknown;
}

function notFound(): Response {
  return json({ detail: "API endpoint not found" }, 404);
}
