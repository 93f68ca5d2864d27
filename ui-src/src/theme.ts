// The choice of theme: light, dark, or that of the system. It is an attribute of <html>, which public/theme.js sets
// before the first paint. styles/tokens.css has the colours.
import { useSyncExternalStore } from "react";

const STORAGE_KEY = "noetl-theme";

export const THEMES = ["light", "dark", "system"] as const;
export type Theme = (typeof THEMES)[number];

const listeners = new Set<() => void>();

/** Returns the current theme, and a function that sets it. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  return [useSyncExternalStore(subscribe, currentTheme), chooseTheme];
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is shown in dark colours, for libraries that do not follow `color-scheme`. */
export function useIsDark(): boolean {
  const [theme] = useTheme();
  const isSystemDark = useSyncExternalStore(
    (listener) => {
      systemIsDark.addEventListener("change", listener);
      return () => {
        systemIsDark.removeEventListener("change", listener);
      };
    },
    () => systemIsDark.matches,
  );
  return theme === "dark" || (theme === "system" && isSystemDark);
}

export function currentTheme(): Theme {
  return toTheme(document.documentElement.dataset.theme);
}

export function chooseTheme(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // Storage can be forbidden or full. Then the choice is lost with the page.
  }
  apply(theme);
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const listener of listeners) listener();
}

function toTheme(value: string | null | undefined): Theme {
  return THEMES.find((theme) => theme === value) ?? "system";
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) window.addEventListener("storage", followOtherTab);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener("storage", followOtherTab);
  };
}

function followOtherTab(event: StorageEvent): void {
  // A null key means that the whole storage was cleared.
  if (event.key === STORAGE_KEY || event.key === null) apply(toTheme(event.newValue));
}
