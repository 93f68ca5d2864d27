// The token prompt: when it opens, what it sends, and that the token does not stay on the page.
import { screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { json, renderAt, RUNNING, sentTo, serve } from "../testing";

const refused = () => json({ detail: "a token is needed" }, 401);

test("an answer 401 opens the prompt, and afterwards all requests are repeated", async () => {
  const answers: Record<string, () => Response> = {
    ...RUNNING,
    "/api/worker/pools": refused,
    "/api/session": () => json({ required: true, authenticated: true }),
  };
  const fetch = serve(answers);
  renderAt("/workers");
  const dialog = within(await screen.findByRole("dialog", { name: "This server asks for a token" }));
  const field = dialog.getByLabelText<HTMLInputElement>("Token");
  expect(field.type).toBe("password");

  answers["/api/session"] = () => json({ detail: "wrong token" }, 401);
  await userEvent.type(field, "guess");
  await userEvent.click(dialog.getByRole("button", { name: "Sign in" }));
  expect((await dialog.findByRole("alert")).textContent).toContain("does not know this token");

  answers["/api/session"] = () => json({ status: "ok" });
  answers["/api/worker/pools"] = () => json({ items: [], count: 0 });
  await userEvent.clear(field);
  await userEvent.type(field, "secret-token{Enter}");
  await waitFor(() => {
    expect(screen.queryByRole("dialog")).toBeNull();
  });
  expect(sentTo(fetch, "/api/session")).toEqual({ token: "secret-token" });
  expect(await screen.findByText("No worker is registered")).toBeTruthy();
  const stored = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie].join();
  expect(stored).not.toContain("secret-token");
});

test("a server that requires a token opens the prompt before any request fails", async () => {
  serve({ ...RUNNING, "/api/session": () => json({ required: true, authenticated: false }) });
  renderAt("/about");
  expect(await screen.findByRole("dialog", { name: "This server asks for a token" })).toBeTruthy();
});

test("a session can be ended, which loads the page anew", async () => {
  const assign = vi.fn();
  vi.stubGlobal("location", { href: window.location.href, origin: window.location.origin, assign });
  const fetch = serve({
    ...RUNNING,
    "/api/session": () => json({ status: "ok", required: true, authenticated: true }),
  });
  renderAt("/about");
  await userEvent.click(await screen.findByRole("button", { name: "Sign out" }));
  await waitFor(() => {
    expect(assign).toHaveBeenCalledWith("/");
  });
  expect(fetch.mock.calls.some(([path, init]) => path === "/api/session" && init?.method === "DELETE")).toBe(true);
});

test("without a token there is nothing to sign out of", async () => {
  serve(RUNNING);
  renderAt("/about");
  expect(await screen.findByText(/^NoETL server \d/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Sign out" })).toBeNull();
});
