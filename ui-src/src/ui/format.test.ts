// The format of times, durations and counts.
import { expect, test } from "vitest";
import {
  count,
  elapsedSeconds,
  formatClock,
  formatDuration,
  formatPercent,
  formatRelative,
  formatBytes,
  formatSize,
  messageFirst,
} from "./format";

test.each([
  [null, "–"],
  [Number.NaN, "–"],
  [-5, "0 ms"],
  [0.0421, "42 ms"],
  [0.9999, "1.0 s"],
  [3.14159, "3.1 s"],
  [42.4, "42 s"],
  [59.7, "1 min"],
  [125, "2 min 5 s"],
  [3600, "1 h"],
  [3780, "1 h 3 min"],
  [187_200, "2 d 4 h"],
])("a duration of %s seconds is %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test("a time is relative to now, and a date from one week on", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  const at = (seconds: number) => formatRelative(new Date(now - seconds * 1000).toISOString(), now);
  expect([3, 42, 240, 7200, 3 * 86_400].map(at)).toEqual([
    "just now",
    "42 s ago",
    "4 min ago",
    "2 h ago",
    "3 d ago",
  ]);
  expect(at(-7200)).toBe("in 2 h");
  expect(at(8 * 86_400)).toMatch(/^2026-11-1[45]$/);
  expect(formatRelative("nonsense", now)).toBe("–");
});

test("a running duration is measured to now, and never negative", () => {
  const start = "2026-11-23T12:00:00.000Z";
  const now = Date.parse("2026-11-23T12:00:04.000Z");
  expect(elapsedSeconds(start, null, now)).toBe(4);
  expect(elapsedSeconds(start, "2026-11-23T12:00:01.500Z", now)).toBe(1.5);
  expect(elapsedSeconds(start, null, now - 60_000)).toBe(0);
  expect(elapsedSeconds("nonsense", null, now)).toBeNull();
});

test("a hundred percent means that nothing failed", () => {
  expect([null, 0, 0.5, 0.99999, 1].map(formatPercent)).toEqual(["–", "0 %", "50.0 %", "99.9 %", "100 %"]);
});

test("counts agree with their noun", () => {
  expect([count(0, "step"), count(1, "step"), count(5000, "match", "matches")]).toEqual([
    "0 steps",
    "1 step",
    "5,000 matches",
  ]);
});

test("sizes and clocks", () => {
  expect([formatBytes(900), formatBytes(262_145), formatBytes(1_234_567), formatBytes(2.5e9)]).toEqual([
    "1 kB",
    "263 kB",
    "1.2 MB",
    "2.5 GB",
  ]);
  expect([formatSize(12), formatSize(54_321), formatSize(1_048_576)]).toEqual([
    "12 characters",
    "54 k characters",
    "1.0 M characters",
  ]);
  expect(formatClock("2026-11-23T12:00:07.045Z", "milliseconds")).toMatch(/^\d\d:\d\d:07\.045$/);
});

test("the message of an error comes before its place", () => {
  expect(messageFirst("t/said@1:14:5: step `py`, field `tool`: NameError: name 'n'")).toBe(
    "NameError: name 'n' – t/said@1:14:5: step `py`, field `tool`",
  );
  expect(messageFirst("a.yaml:3: two steps")).toBe("two steps – a.yaml:3");
  expect(messageFirst("wrong input: 1:2")).toBe("wrong input: 1:2");
});
