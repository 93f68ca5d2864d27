// The catalog page: searching, registering, running with a form, deleting, and its empty and error states.
import { screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import { json, renderAt, RUNNING, sentTo, serve } from "../testing";

const entry = (path: string, more: object = {}) => ({
  catalog_id: "1",
  path,
  name: path.split("/").at(-1),
  version: 2,
  kind: "Playbook",
  content: null,
  description: null,
  payload: null,
  created_at: "2026-11-23T11:00:00.000Z",
  ...more,
});
const ORDERS = entry("sales/orders", { description: "Loads <b>orders</b>" });
const CATALOG = {
  ...RUNNING,
  "/api/catalog/list": () => json({ entries: [ORDERS, entry("ops/logs")] }),
};

test("searches by every word, with a message when nothing matches", async () => {
  serve(CATALOG);
  renderAt("/catalog");
  await screen.findByText("sales/orders");
  const field = screen.getByRole("searchbox", { name: "Search the playbooks" });
  await userEvent.type(field, "LOADS sales");
  expect(screen.queryByText("ops/logs")).toBeNull();
  expect(screen.getByText("Loads <b>orders</b>")).toBeTruthy();
  await userEvent.type(field, " nothing");
  expect(screen.getByText("Nothing matches")).toBeTruthy();
});

test("an empty catalog shows how to fill it", async () => {
  serve({ ...RUNNING, "/api/catalog/list": () => json({ entries: [] }) });
  renderAt("/catalog");
  expect(await screen.findByText("The catalog is empty")).toBeTruthy();
  expect(screen.getByText("noetl catalog register FILE")).toBeTruthy();
});

test("runs with a form from the workload, and sends what was changed", async () => {
  const workload = { message: "Hello", count: 3, dry_run: false };
  const fetch = serve({
    ...CATALOG,
    "/api/catalog/resource": () => json({ ...ORDERS, content: "kind: Playbook", payload: { workload } }),
    "/api/execute": () => json({ execution_id: "478775660589088776", status: "started" }),
  });
  renderAt("/catalog");
  await userEvent.click(await screen.findByRole("button", { name: "Run sales/orders" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Run sales/orders" }));
  const count = await dialog.findByLabelText(/^count/);
  await userEvent.clear(count);
  await userEvent.type(count, "many");
  await userEvent.click(dialog.getByRole("button", { name: "Run" }));
  expect(dialog.getByText("This is a number, such as 10 or 0.5.")).toBeTruthy();
  expect(count.getAttribute("aria-invalid")).toBe("true");
  // A value that JSON cannot hold keeps the form.
  await userEvent.click(dialog.getByRole("radio", { name: "JSON" }));
  expect(dialog.getByLabelText(/^count/)).toBe(count);
  await userEvent.clear(count);
  await userEvent.type(count, "10");
  await userEvent.selectOptions(dialog.getByLabelText(/^dry_run/), "true");
  await userEvent.click(dialog.getByRole("button", { name: "Run" }));
  await waitFor(() => {
    expect(sentTo(fetch, "/api/execute")).toEqual({
      path: "sales/orders",
      version: 2,
      payload: { count: 10, dry_run: true },
    });
  });
});

test("registering shows the places of the server's problems, and keeps the text", async () => {
  const problem = {
    severity: "error",
    message: "unknown step `fetsh`",
    place: { file: "x", line: 12, column: 7 },
  };
  serve({
    ...CATALOG,
    "/api/catalog/validate": () => json({ valid: false, problems: [problem] }),
    "/api/catalog/register": () => json({ detail: "the playbook is not valid", problems: [problem] }, 422),
  });
  renderAt("/catalog?register");
  const dialog = within(await screen.findByRole("dialog", { name: "Register a playbook" }));
  const text = dialog.getByLabelText("Or paste it");
  await userEvent.type(text, "kind: Playbook");
  expect(await dialog.findByText("Line 12, column 7:")).toBeTruthy();
  await userEvent.click(dialog.getByRole("button", { name: "Register" }));
  expect(await dialog.findByText("the playbook is not valid (HTTP 422)")).toBeTruthy();
  expect(dialog.getByText("unknown step `fetsh`")).toBeTruthy();
  expect((text as HTMLTextAreaElement).value).toBe("kind: Playbook");
});

test("a dropped file becomes the text", async () => {
  serve({ ...CATALOG, "/api/catalog/validate": () => json({ valid: true, problems: [], path: "a/b" }) });
  renderAt("/catalog?register");
  const dialog = within(await screen.findByRole("dialog"));
  const file = new File(["kind: Playbook\n"], "hello.yaml", { type: "application/yaml" });
  await userEvent.upload(dialog.getByLabelText("Drop a YAML file here, or choose one"), file);
  await waitFor(() => {
    expect(dialog.getByLabelText<HTMLTextAreaElement>("Or paste it").value).toBe("kind: Playbook\n");
  });
  expect(await dialog.findByText("a/b")).toBeTruthy();
});

test("deletes only after confirmation, and shows when it fails", async () => {
  const fetch = serve({ ...CATALOG, "/api/catalog/entry": () => json({ detail: "it is in use" }, 409) });
  renderAt("/catalog");
  await userEvent.click(await screen.findByRole("button", { name: "Delete ops/logs" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Delete this playbook?" }));
  expect(fetch.mock.calls.some(([path]) => path.startsWith("/api/catalog/entry"))).toBe(false);
  await userEvent.click(dialog.getByRole("button", { name: "Delete all versions" }));
  expect(await dialog.findByText("it is in use (HTTP 409)")).toBeTruthy();
  const [path, init] = fetch.mock.calls.at(-1) ?? [];
  expect([path, init?.method]).toEqual(["/api/catalog/entry?path=ops%2Flogs", "DELETE"]);
});
