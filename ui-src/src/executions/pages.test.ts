// The loaded pages of the list, and how pushed executions change them.
import { expect, test } from "vitest";
import type { ExecutionPage } from "../api/executions";
import type { Execution } from "../api/schema";
import { EXECUTION } from "./filter.test";
import { flatten, merge, nextOffset, PAGE_SIZE, totalOf } from "./pages";

const NO_FILTER = { status: "", text: "", since: "" } as const;
const at = (minute: number, more: Partial<Execution> = {}): Execution => ({
  ...EXECUTION,
  execution_id: `id-${minute}`,
  status: "COMPLETED",
  start_time: `2026-11-23T11:${String(minute).padStart(2, "0")}:00.000Z`,
  ...more,
});
const page = (items: Execution[], total = items.length): ExecutionPage => ({ items, total, isMinimum: false });
const ids = (pages: ExecutionPage[]) => flatten(pages).map(({ execution_id }) => execution_id);
const pushed = (...executions: Execution[]) => new Map(executions.map((one) => [one.execution_id, one]));

test("an execution that moved to the next page is listed once", () => {
  expect(ids([page([at(3), at(2)]), page([at(2), at(1)])])).toEqual(["id-3", "id-2", "id-1"]);
});

test("a new execution is added at the top and counted", () => {
  const pages = merge([page([at(2), at(1)])], pushed(at(3, { status: "RUNNING" })), NO_FILTER);
  expect(ids(pages)).toEqual(["id-3", "id-2", "id-1"]);
  expect(totalOf(pages).total).toBe(3);
});

test("a known execution is changed in place", () => {
  const pages = merge([page([at(2, { status: "RUNNING" }), at(1)])], pushed(at(2)), NO_FILTER);
  expect(flatten(pages).map(({ status }) => status)).toEqual(["COMPLETED", "COMPLETED"]);
  expect(totalOf(pages).total).toBe(2);
});

test("an execution that no longer matches is removed, and one that does not match is not added", () => {
  const filter = { ...NO_FILTER, status: "RUNNING" } as const;
  const pages = merge([page([at(2, { status: "RUNNING" })])], pushed(at(2), at(3)), filter);
  expect(ids(pages)).toEqual([]);
  expect(totalOf(pages).total).toBe(0);
});

test("an old execution on a page that is not loaded is not added at the top", () => {
  const full = Array.from({ length: PAGE_SIZE }, (_, index) => at(59, { execution_id: `n-${index}` }));
  const pages = merge([page(full, 5000)], pushed(at(1)), NO_FILTER);
  expect(flatten(pages)).toHaveLength(PAGE_SIZE);
  expect(totalOf(pages).total).toBe(5000);
});

test("asks for the next page until all are there", () => {
  const full = Array.from({ length: PAGE_SIZE }, (_, index) => at(59, { execution_id: `n-${index}` }));
  expect(nextOffset([page(full, 5000)])).toBe(PAGE_SIZE);
  expect(nextOffset([page(full, PAGE_SIZE)])).toBeUndefined();
  expect(nextOffset([page([at(1)], 5000)])).toBeUndefined();
  expect(nextOffset([])).toBeUndefined();
});

test("matches that the server does not count are loaded to their end", () => {
  const full = (n: number) =>
    Array.from({ length: PAGE_SIZE }, (_, index) => at(59, { execution_id: `n-${n}-${index}` }));
  const counted = (items: Execution[], total: number) => ({ items, total, isMinimum: true });
  const pages = Array.from({ length: 10 }, (_, n) => counted(full(n), 1000));
  expect(nextOffset(pages)).toBe(1000);
  expect(totalOf(pages)).toEqual({ total: 1000, isMinimum: true });
  pages.push(counted([at(1)], 1001));
  expect(nextOffset(pages)).toBeUndefined();
  expect(totalOf(pages)).toEqual({ total: 1001, isMinimum: false });
});
