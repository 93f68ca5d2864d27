// Credentials: the form of each type, what is sent, testing, and that data is neither requested nor shown.
import { screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import { json, renderAt, RUNNING, sentTo, serve } from "../testing";
import { dataOf, TYPES } from "./types";

const WAREHOUSE = {
  id: "1",
  name: "warehouse",
  type: "postgres",
  meta: {},
  tags: [],
  description: null,
  created_at: "2026-11-23T11:00:00.000Z",
  updated_at: "2026-11-23T11:00:00.000Z",
};
const LIST = { ...RUNNING, "/api/credentials": () => json({ items: [WAREHOUSE], filter: {} }) };

test("every type has the fields that it needs", () => {
  const asked = TYPES.map(({ type, fields }) => `${type}: ${fields.map(({ name }) => name).join(" ")}`);
  expect(asked).toEqual([
    "postgres: host port database user password sslmode",
    "bearer: token",
    "basic: username password",
    "api_key: header key",
    "header: header value",
    "custom: ",
  ]);
});

test("a port is a number, optional fields may be empty, required ones may not", () => {
  const values = { database: "d", user: "u", password: " p " };
  expect(dataOf(TYPES[0], values)).toEqual({
    data: { host: "localhost", port: 5432, database: "d", user: "u", password: " p " },
    errors: {},
  });
  expect(dataOf(TYPES[0], { ...values, port: "x", user: "" }).errors).toEqual({
    port: "Port is a whole number.",
    user: "User is needed.",
  });
});

test("stores the values of the form, with masked secrets", async () => {
  let posted = false;
  const fetch = serve({
    ...RUNNING,
    "/api/credentials": () => (posted ? json(WAREHOUSE) : json({ items: [], filter: {} })),
  });
  renderAt("/credentials");
  await userEvent.click(await screen.findByRole("button", { name: "Store a credential" }));
  const dialog = within(screen.getByRole("dialog", { name: "New credential" }));
  await userEvent.type(dialog.getByLabelText("Name"), "stripe");
  await userEvent.selectOptions(dialog.getByLabelText("Type"), "bearer");
  await userEvent.click(dialog.getByRole("button", { name: "Store" }));
  expect(dialog.getByText("Token is needed.")).toBeTruthy();
  const token = dialog.getByLabelText<HTMLInputElement>("Token");
  expect([token.type, token.autocomplete]).toEqual(["password", "new-password"]);
  await userEvent.type(token, "sk-1");
  posted = true;
  await userEvent.click(dialog.getByRole("button", { name: "Store" }));
  await waitFor(() => {
    expect(sentTo(fetch, "/api/credentials")).toEqual({
      name: "stripe",
      type: "bearer",
      data: { token: "sk-1" },
    });
  });
});

test("warns before a credential is replaced", async () => {
  serve(LIST);
  renderAt("/credentials");
  await screen.findByText("warehouse");
  await userEvent.click(screen.getByRole("button", { name: "New credential" }));
  await userEvent.type(within(screen.getByRole("dialog")).getByLabelText("Name"), "warehouse");
  expect(screen.getByText("There is a credential of this name; saving replaces it.")).toBeTruthy();
});

test("a test shows its result as a message, and data is never requested", async () => {
  const fetch = serve({
    ...LIST,
    "/api/credentials/warehouse/test": () => json({ ok: false, message: "no connection to localhost:5432" }),
  });
  renderAt("/credentials");
  await userEvent.click(await screen.findByRole("button", { name: "Test warehouse" }));
  expect(await screen.findByText("Does not work: no connection to localhost:5432")).toBeTruthy();
  expect(fetch.mock.calls.some(([path]) => path.includes("include_data"))).toBe(false);
  expect(sentTo(fetch, "/api/credentials/warehouse/test")).toEqual({});
});
