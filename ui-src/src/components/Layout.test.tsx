// The frame: landmarks, navigation, titles, focus, and the page at each kind of address.
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ROUTES } from "../routes";
import { createQueryClient } from "../queries";
import { json, refuseConnection, renderAt, RUNNING, serve, STAMP } from "../testing";
import { ErrorBoundary } from "./ErrorBoundary";

beforeEach(() => {
  serve(RUNNING);
});

test("has one of each landmark, and a skip link that leads to main", () => {
  renderAt("/");
  for (const landmark of ["banner", "main", "contentinfo"]) {
    expect(screen.getAllByRole(landmark), landmark).toHaveLength(1);
  }
  expect(screen.getByRole("navigation", { name: "Main" })).toBeTruthy();
  const skip = screen.getByRole("link", { name: "Skip to content" });
  expect(skip.getAttribute("href")).toBe(`#${screen.getByRole("main").id}`);
  expect(document.body.querySelector("a, button, input")).toBe(skip);
});

test("links to every page, and marks the one in view", () => {
  renderAt("/about");
  const links = within(screen.getByRole("navigation", { name: "Main" })).getAllByRole("link");
  expect(links.map((link) => [link.textContent, link.getAttribute("aria-current")])).toEqual([
    ["Dashboard", null],
    ["Catalog", null],
    ["Executions", null],
    ["Credentials", null],
    ["Workers", null],
    ["About", "page"],
  ]);
});

test("going to another page moves the focus and sets the title", async () => {
  renderAt("/");
  expect(document.title).toBe("Dashboard · NoETL");
  expect(document.activeElement).toBe(document.body);
  await userEvent.click(screen.getByRole("link", { name: "About" }));
  expect(document.title).toBe("About · NoETL");
  expect(document.activeElement).toBe(screen.getByRole("main"));
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("About NoETL");
});

test("the theme switch shows and changes the choice", async () => {
  renderAt("/");
  const radios = within(screen.getByRole("group", { name: "Theme" }));
  expect(radios.getByRole<HTMLInputElement>("radio", { name: "System" }).checked).toBe(true);
  await userEvent.click(radios.getByRole("radio", { name: "Dark" }));
  expect(document.documentElement.dataset.theme).toBe("dark");
  await userEvent.click(radios.getByRole("radio", { name: "System" }));
  expect(document.documentElement.dataset.theme).toBeUndefined();
});

test.each(["/nowhere", "/catalog/deeper", "/execution/1/2"])("%s is not found, inside the frame", (path) => {
  renderAt(path);
  expect(document.title).toBe("Page not found · NoETL");
  const main = within(screen.getByRole("main"));
  expect(main.getByRole("heading", { level: 1 }).textContent).toBe("Page not found");
  expect(main.getByText(path)).toBeTruthy();
  expect(main.getByRole("link", { name: "Go to the dashboard" }).getAttribute("href")).toBe("/");
  expect(screen.getByRole("navigation", { name: "Main" })).toBeTruthy();
});

test("every route has exactly one first heading, when the server fails too", async () => {
  for (const { path } of ROUTES) {
    const { unmount } = renderAt(path.replace(":id", "1").replace("*", "/nowhere"));
    expect(await screen.findAllByRole("heading", { level: 1 }), path).toHaveLength(1);
    unmount();
  }
});

describe("while the server does not answer", () => {
  const state = () => screen.getByRole("status", { name: "Server state" });

  test("a banner shows help, and checks again on request", async () => {
    const answers: Record<string, () => Response> = { "/api/health": refuseConnection };
    serve(answers);
    renderAt("/about");
    await within(state()).findByText("The server is not reachable");
    expect(state().textContent).toContain("no connection to the server");
    expect(within(state()).getByText("noetl server start")).toBeTruthy();
    expect(screen.getByRole("contentinfo").textContent).toBe("NoETL server: not reachable");
    Object.assign(answers, RUNNING);
    await userEvent.click(within(state()).getByRole("button", { name: "Look now" }));
    await waitFor(() => {
      expect(state().textContent).toBe("");
    });
    expect((await screen.findByText("NoETL server 0.1.0")).textContent).toBe("NoETL server 0.1.0");
  });
});

test("what failed is asked for again when the server is back, and another version asks for a reload", async () => {
  const answers: Record<string, () => Response> = { ...RUNNING };
  const fetch = serve(answers);
  const state = () => screen.getByRole("status", { name: "Server state" });
  vi.useFakeTimers({ shouldAdvanceTime: true });
  renderAt("/workers");
  await screen.findByText("NoETL server 0.1.0");
  answers["/api/health"] = refuseConnection;
  const asked = () => fetch.mock.calls.filter(([path]) => path === "/api/version").length;
  const before = asked();
  await vi.advanceTimersByTimeAsync(11_000);
  await within(state()).findByText("The server is not reachable");
  answers["/api/health"] = RUNNING["/api/health"];
  answers["/api/version"] = () => json({ ...STAMP, ui_sha256: "e".repeat(64) });
  await vi.advanceTimersByTimeAsync(11_000);
  await within(state()).findByText("The server has another version now");
  expect(asked()).toBeGreaterThan(before);
  expect(within(state()).getByRole("button", { name: "Reload the page" })).toBeTruthy();
  vi.useRealTimers();
});

describe("a page that throws", () => {
  function Broken(): never {
    throw new Error("it broke");
  }

  test("leaves a message instead of nothing", () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    render(
      <ErrorBoundary>
        <Broken />
      </ErrorBoundary>,
    );
    expect(screen.getByRole("alert").textContent).toContain("it broke");
  });

  test("says that the server was away when a part could not be loaded", () => {
    function Missing(): never {
      throw new TypeError("Failed to fetch dynamically imported module: /assets/LogPanel.js");
    }
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    render(
      <QueryClientProvider client={createQueryClient()}>
        <ErrorBoundary>
          <Missing />
        </ErrorBoundary>
      </QueryClientProvider>,
    );
    const text = screen.getByRole("alert").textContent;
    expect(text).toContain("A part of this page could not be loaded");
    expect(text).not.toContain("bug");
  });
});
