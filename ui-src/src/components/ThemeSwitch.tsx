// Three native radio buttons for the theme, which support arrow keys and screen readers.
import type { ReactElement } from "react";
import { THEMES, useTheme, type Theme } from "../theme";

const LABELS: Record<Theme, { text: string; icon: ReactElement }> = {
  light: {
    text: "Light",
    icon: (
      <>
        <circle cx="8" cy="8" r="3" />
        <path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5L13 13M13 3l-1.5 1.5M4.5 11.5L3 13" />
      </>
    ),
  },
  dark: { text: "Dark", icon: <path d="M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1Z" /> },
  system: { text: "System", icon: <path d="M2 3h12v8H2ZM6 14h4M8 11v3" /> },
};

export function ThemeSwitch() {
  const [theme, choose] = useTheme();
  return (
    <fieldset className="theme-switch">
      <legend className="visually-hidden">Theme</legend>
      {THEMES.map((option) => (
        <label key={option} title={LABELS[option].text}>
          <input
            className="visually-hidden"
            type="radio"
            name="theme"
            value={option}
            checked={theme === option}
            onChange={() => {
              choose(option);
            }}
          />
          <svg viewBox="0 0 16 16" aria-hidden="true">
            {LABELS[option].icon}
          </svg>
          <span className="visually-hidden">{LABELS[option].text}</span>
        </label>
      ))}
    </fieldset>
  );
}
