// Checks the colours for WCAG AA: a contrast of 4.5 for text, 3 for edges of controls and for states.
import { describe, expect, test } from "vitest";
import tokens from "./tokens.css?raw";

const PAIR = /--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g;
const COLOURS = new Map([...tokens.matchAll(PAIR)].map(([, name, light, dark]) => [name, { light, dark }]));

const TEXT = [
  ["ink", "paper"],
  ["ink", "surface"],
  ["ink", "raised"],
  ["ink", "hover"],
  ["ink", "selection"],
  ["ink", "danger-wash"],
  ["ink", "ok-wash"],
  ["ink", "active-wash"],
  ["ink", "stopped-wash"],
  ["ink", "warning-wash"],
  ["ink-muted", "paper"],
  ["ink-muted", "surface"],
  ["ink-muted", "raised"],
  ["ink-muted", "hover"],
  ["ink-muted", "idle-wash"],
  ["accent", "paper"],
  ["accent", "surface"],
  ["accent", "raised"],
  ["accent", "hover"],
  ["accent", "accent-wash"],
  ["accent", "danger-wash"],
  ["on-accent", "accent"],
  ["on-danger", "danger"],
  ["ok", "surface"],
  ["ok", "raised"],
  ["ok", "ok-wash"],
  ["active", "surface"],
  ["active", "active-wash"],
  ["danger", "surface"],
  ["danger", "raised"],
  ["danger", "hover"],
  ["danger", "danger-wash"],
  ["stopped", "surface"],
  ["stopped", "stopped-wash"],
  ["warning", "paper"],
  ["warning", "surface"],
  ["warning", "raised"],
  ...["code-key", "code-string", "code-value", "ink-muted"].flatMap((code) =>
    ["surface", "ok-wash", "danger-wash"].map((back) => [code, back] as const),
  ),
] as const;

const CONTROLS = [
  ["control-line", "paper"],
  ["control-line", "surface"],
  ["control-line", "raised"],
  ["control-line", "danger-wash"],
  ["danger", "paper"],
  // The bars of the charts, on the panel and next to each other.
  ["ok", "surface"],
  ["stopped", "surface"],
  ["active", "surface"],
] as const;

describe.each(["light", "dark"] as const)("%s", (theme) => {
  test.each(TEXT)("text in %s on %s", (front, back) => {
    expect(contrast(colour(front, theme), colour(back, theme))).toBeGreaterThanOrEqual(4.5);
  });

  test.each(CONTROLS)("control in %s on %s", (front, back) => {
    expect(contrast(colour(front, theme), colour(back, theme))).toBeGreaterThanOrEqual(3);
  });
});

function colour(name: string, theme: "light" | "dark"): string {
  const value = COLOURS.get(name)?.[theme];
  if (value === undefined) throw new Error(`tokens.css has no pair --${name}`);
  return value;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
