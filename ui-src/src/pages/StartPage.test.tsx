// The start page against a server that runs, does not answer, or comes back.
import { act, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { json, refuseConnection, renderAt, RUNNING, serve, STAMP } from "../testing";

const state = () => screen.getByRole("region", { name: "Server state" });
const headline = () => within(state()).getByRole("status").textContent;

test("is checking until the first answer", () => {
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
  renderAt("/");
  expect(headline()).toBe("Checking the server …");
  expect(screen.queryByRole("button", { name: "Retry" })).toBeNull();
});

test("shows a running server with its version, commit, target, compiler and page hash", async () => {
  serve(RUNNING);
  renderAt("/");
  await screen.findByText("The server is running");
  const facts = within(await screen.findByRole("region", { name: "This server" }));
  expect(await facts.findByText("0.1.0")).toBeTruthy();
  expect(facts.getByText("0123456789ab").title).toBe(STAMP.commit);
  expect(facts.getByText(STAMP.target)).toBeTruthy();
  expect(facts.getByText(STAMP.rustc)).toBeTruthy();
  expect(facts.getByText("ffffffffffff").title).toBe(STAMP.ui_sha256);
  expect(screen.getByRole("contentinfo").textContent).toBe("NoETL server 0.1.0");
});

test("shows no facts when the server does not answer, but what to do", async () => {
  serve({ "/api/health": refuseConnection });
  renderAt("/");
  await screen.findByText("The server is not reachable");
  expect(state().textContent).toContain("no connection to the server");
  expect(within(state()).getByText("noetl server start")).toBeTruthy();
  expect(screen.queryByRole("region", { name: "This server" })).toBeNull();
  expect(screen.getByRole("contentinfo").textContent).toBe("NoETL server: not reachable");
});

test("Retry looks again at once", async () => {
  const answers: Record<string, () => Response> = { "/api/health": refuseConnection };
  serve(answers);
  renderAt("/");
  const retry = await screen.findByRole("button", { name: "Retry" });
  Object.assign(answers, RUNNING);
  await userEvent.click(retry);
  await screen.findByText("The server is running");
  expect(screen.queryByRole("button", { name: "Retry" })).toBeNull();
});

test("says why the version is not known", async () => {
  serve({ "/api/health": RUNNING["/api/health"], "/api/version": () => json({ detail: "no stamp" }, 500) });
  renderAt("/");
  expect(await screen.findByText("Its version is not known: no stamp (HTTP 500).")).toBeTruthy();
});

describe("every ten seconds", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const pass = (seconds: number) => act(() => vi.advanceTimersByTimeAsync(seconds * 1000));

  test("it looks again, and takes the version anew from a server that came back", async () => {
    const answers: Record<string, () => Response> = { ...RUNNING };
    const fetch = serve(answers);
    renderAt("/");
    await pass(1);
    expect(headline()).toBe("The server is running");
    expect(fetch.mock.calls.map(([path]) => path)).toEqual(["/api/health", "/api/version"]);

    answers["/api/health"] = refuseConnection;
    await pass(10);
    expect(headline()).toBe("The server is not reachable");

    answers["/api/health"] = RUNNING["/api/health"];
    answers["/api/version"] = () => json({ ...STAMP, version: "0.2.0" });
    await pass(10);
    expect(headline()).toBe("The server is running");
    expect(screen.getByRole("contentinfo").textContent).toBe("NoETL server 0.2.0");
    expect(fetch).toHaveBeenCalledTimes(5);
  });

  test("a server that never answered does not flicker back to checking", async () => {
    const answers: Record<string, () => Response> = { "/api/health": refuseConnection };
    serve(answers);
    renderAt("/");
    await pass(1);
    vi.stubGlobal("fetch", () => new Promise(() => undefined));
    await pass(10);
    expect(headline()).toBe("The server is not reachable");
    const button = within(state()).getByRole("button", { name: "Checking …" });
    expect(button.getAttribute("aria-disabled")).toBe("true");
  });
});
