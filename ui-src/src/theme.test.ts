// The choice of theme: the stored value, the attribute of <html>, and its effect after a reload.
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import firstPaint from "../public/theme.js?raw";
import { chooseTheme, currentTheme, useTheme } from "./theme";

const onHtml = () => document.documentElement.dataset.theme;
const stored = () => localStorage.getItem("noetl-theme");

/** Simulates a reload of the page for the theme. */
function reload(): void {
  delete document.documentElement.dataset.theme;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- a classic script cannot be imported
  const run = new Function(firstPaint) as () => void;
  run();
}

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  localStorage.clear();
  delete document.documentElement.dataset.theme;
});

test("without a choice the system decides", () => {
  reload();
  expect(currentTheme()).toBe("system");
  expect(onHtml()).toBeUndefined();
});

test.each(["light", "dark"] as const)("%s is applied, stored, and there at the next load", (theme) => {
  chooseTheme(theme);
  expect([currentTheme(), onHtml(), stored()]).toEqual([theme, theme, theme]);
  reload();
  expect(currentTheme()).toBe(theme);
});

test("system removes the choice", () => {
  chooseTheme("dark");
  chooseTheme("system");
  expect([currentTheme(), onHtml(), stored()]).toEqual(["system", undefined, null]);
});

test("a stored value that is no theme is ignored", () => {
  localStorage.setItem("noetl-theme", "purple");
  reload();
  expect(currentTheme()).toBe("system");
});

test("a choice holds where storage is forbidden", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("denied", "SecurityError");
  });
  chooseTheme("dark");
  expect(currentTheme()).toBe("dark");
});

test("the hook follows choices here and in another tab", () => {
  const { result } = renderHook(useTheme);
  act(() => {
    result.current[1]("light");
  });
  expect(result.current[0]).toBe("light");
  act(() => {
    window.dispatchEvent(new StorageEvent("storage", { key: "noetl-theme", newValue: "dark" }));
  });
  expect([result.current[0], onHtml()]).toEqual(["dark", "dark"]);
  act(() => {
    window.dispatchEvent(new StorageEvent("storage", { key: "something-else", newValue: "light" }));
  });
  expect(result.current[0]).toBe("dark");
});
