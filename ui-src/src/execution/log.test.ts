// Rows of the log, its filter in the address, and its choices.
import { expect, test } from "vitest";
import type { LogLine } from "../api/schema";
import { choicesOf, filterIn, rowsOf, textOf, withFilter } from "./log";

function line(number: number, text: string, more: Partial<LogLine> = {}): LogLine {
  const time = "2026-01-01T00:00:00.000Z";
  return { step: "load", item: null, attempt: 1, line: number, time, stream: "stdout", text, ...more };
}

test("lines that are not kept are a row of their own", () => {
  expect(rowsOf([line(1, "a"), line(2, "b"), line(10, "c")], "")).toMatchObject([
    { number: 1 },
    { number: 2 },
    { missing: 7 },
    { number: 10 },
  ]);
});

test("a search finds plain text, in any case", () => {
  const lines = [line(1, "\u001b[31mRed\u001b[0m line"), line(2, "other")];
  expect(rowsOf(lines, "red LINE")).toMatchObject([{ number: 1 }]);
});

test("lines of several attempts are numbered by their places", () => {
  const rows = rowsOf([line(1, "a"), line(1, "b", { attempt: 2 })], "");
  expect(rows).toMatchObject([{ number: 1 }, { number: 2 }]);
  expect(textOf([line(1, "b", { attempt: 2, item: 3 })])).toBe(
    "2026-01-01T00:00:00.000Z load[3] #2 stdout b\n",
  );
});

test("the filter is in the address, beside other parameters", () => {
  const filter = { step: "load", item: 0, attempt: null };
  const address = withFilter(new URLSearchParams("x=1&attempt=2"), filter);
  expect(address.toString()).toBe("x=1&step=load&item=0");
  expect(filterIn(address)).toEqual(filter);
  expect(filterIn(new URLSearchParams("attempt=x"))).toEqual({ step: "", item: null, attempt: null });
});

test("a step with several attempts has each as a choice", () => {
  const attempt = { lines: 1, bytes: 1, dropped: 0 };
  const choices = choicesOf([
    { step: "a", item: null, attempt: 1, ...attempt },
    { step: "b", item: null, attempt: 1, ...attempt },
    { step: "b", item: null, attempt: 2, ...attempt },
  ]);
  expect(choices.map(({ step, attempt: number }) => [step, number])).toEqual([
    ["a", null],
    ["b", null],
    ["b", 1],
    ["b", 2],
  ]);
});
