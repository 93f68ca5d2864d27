// What the component tests share: the application at an address, and a server that answers as told.
// Nothing here reaches the network.
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

/** Stands for the browser's EventSource; a test opens it, sends through it, and breaks it. */
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

  /** The one that is open on an address. */
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

/** Replaces `fetch`: each path has a function that answers, and what has none gets a 404. */
export function serve(answers: Record<string, () => Response>) {
  // A function that throws stands for a connection that breaks. What is asked after the `?` is for the
  // test to look at, unless it has an answer of its own.
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

/** The body that was sent to an address, the last time one was. */
export function sentTo(fetch: ReturnType<typeof serve>, path: string): unknown {
  const bodies = fetch.mock.calls.flatMap(([asked, init]) => (asked === path ? [init?.body] : []));
  const last = bodies.findLast((body) => typeof body === "string");
  if (last === undefined) throw new Error(`nothing was sent to ${path}`);
  return JSON.parse(last) as unknown;
}

function notFound(): Response {
  return json({ detail: "API endpoint not found" }, 404);
}
