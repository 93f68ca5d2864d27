// The About page: the whole stamp, and copying it with and without a clipboard.
import { screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { json, refuseConnection, renderAt, RUNNING, serve, STAMP } from "../testing";

const panel = () => within(screen.getByRole("region", { name: "Build stamp" }));

test("lists the stamp in full and copies it as JSON", async () => {
  serve(RUNNING);
  const user = userEvent.setup();
  const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
  renderAt("/about");
  await user.click(await screen.findByRole("button", { name: "Copy as JSON" }));
  expect(panel().getByText(STAMP.commit)).toBeTruthy();
  expect(panel().getByText("neon, aes")).toBeTruthy();
  expect(await screen.findByText("Copied.")).toBeTruthy();
  expect(JSON.parse(write.mock.calls[0]?.[0] ?? "")).toEqual(STAMP);
});

test("selects the list where the browser refuses the clipboard", async () => {
  serve(RUNNING);
  const user = userEvent.setup();
  vi.spyOn(navigator.clipboard, "writeText").mockRejectedValue(new DOMException("denied"));
  renderAt("/about");
  await user.click(await screen.findByRole("button", { name: "Copy as JSON" }));
  await screen.findByText(/The list is selected/);
  expect(getSelection()?.toString()).toContain(STAMP.commit);
});

test("without a server names the command that prints the stamp", async () => {
  serve({ "/api/health": refuseConnection });
  renderAt("/about");
  expect(await panel().findByText("noetl version --json")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Copy as JSON" })).toBeNull();
});

test("shows how the server runs, and a link to its API description", async () => {
  const status = { status: "ok", version: "0.1.0", storage: "sqlite", data_dir: "/srv/noetl" };
  serve({ ...RUNNING, "/api/status": () => json(status) });
  renderAt("/about");
  const server = within(screen.getByRole("region", { name: "This server" }));
  expect(await server.findByText("/srv/noetl")).toBeTruthy();
  expect(screen.getByRole("link", { name: "API documentation" }).getAttribute("href")).toBe("/docs");
});
