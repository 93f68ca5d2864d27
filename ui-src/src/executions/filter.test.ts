// The filter of the list: from the address to the request, and which pushed executions match it.
import { expect, test } from "vitest";
import type { Execution } from "../api/schema";
import { addressOf, choiceOf, filterOf, matches } from "./filter";

const NOW = Date.parse("2026-11-23T12:00:00Z");
export const EXECUTION: Execution = {
  execution_id: "478775660589088776",
  catalog_id: "1",
  path: "sales/Load_Orders",
  version: 3,
  status: "FAILED",
  start_time: "2026-11-23T11:50:00.000Z",
  end_time: "2026-11-23T11:50:04.000Z",
  duration_seconds: 4,
  progress: 40,
  current_step: null,
  result: null,
  error: "HTTP 503",
  parent_execution_id: null,
};

test("the address is read, also with the lower case of old bookmarks", () => {
  expect(choiceOf(new URLSearchParams("status=running&q=orders&range=1h"))).toEqual({
    status: "RUNNING",
    text: "orders",
    range: "1h",
  });
  expect(choiceOf(new URLSearchParams("status=nonsense&range=1y"))).toEqual({
    status: "",
    text: "",
    range: "",
  });
});

test("a choice is restored from its address, and no choice has no parameters", () => {
  const choice = { status: "FAILED", text: "a&b=c", range: "24h" } as const;
  expect(choiceOf(new URLSearchParams(addressOf(choice).toString()))).toEqual(choice);
  expect(addressOf({ status: "", text: "", range: "" }).toString()).toBe("");
});

test("a range becomes the time of its start", () => {
  expect(filterOf({ status: "", text: " x ", range: "1h" }, NOW)).toEqual({
    status: "",
    text: "x",
    since: "2026-11-23T11:00:00.000Z",
  });
});

test.each([
  [{ status: "FAILED" }, true],
  [{ status: "RUNNING" }, false],
  [{ text: "load_orders" }, true],
  [{ text: "4787756" }, true],
  [{ text: "8776" }, false],
  [{ text: "http 503" }, true],
  [{ text: "refunds" }, false],
  [{ since: "2026-11-23T11:00:00.000Z" }, true],
  [{ since: "2026-11-23T11:55:00.000Z" }, false],
] as const)("%o matches: %s", (filter, expected) => {
  expect(matches(EXECUTION, { status: "", text: "", since: "", ...filter })).toBe(expected);
});
