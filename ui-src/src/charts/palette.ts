// The colours of tokens.css for a canvas, which cannot use CSS variables. Read again when the theme changes.
import { useSyncExternalStore } from "react";
import type { StepStatus } from "../api/schema";
import { useTheme } from "../theme";

const TOKENS = {
  text: "--ink-muted",
  ink: "--ink",
  line: "--line",
  surface: "--surface",
  accent: "--accent",
  COMPLETED: "--ok",
  FAILED: "--danger",
  CANCELLED: "--stopped",
  RUNNING: "--active",
  PENDING: "--control-line",
  SKIPPED: "--control-line",
} as const satisfies Record<StepStatus, string> & Record<string, string>;

export type Palette = Record<keyof typeof TOKENS, string>;

const darkSystem = () =>
  typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : undefined;

/** Returns the colours as the browser computes them, so that `light-dark()` is resolved. */
export function readPalette(): Palette {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const entries = Object.entries(TOKENS).map(([name, token]) => {
    probe.style.color = `var(${token})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries) as Palette;
}

/** Returns a text that changes when the colours change. */
export function useColourScheme(): string {
  const [theme] = useTheme();
  const isDark = useSyncExternalStore(
    (listener) => {
      const query = darkSystem();
      query?.addEventListener("change", listener);
      return () => query?.removeEventListener("change", listener);
    },
    () => darkSystem()?.matches === true,
  );
  return `${theme} ${isDark ? "dark" : "light"}`;
}
