// Starts Chromium, takes screenshots, and checks every page: no console errors, no violations of the policy,
// no serious findings of axe, no horizontal scrolling.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { expect } from "vitest";

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const SCREENSHOTS = process.env.NOETL_SCREENSHOTS ?? join(import.meta.dirname, "../../target/ui-screenshots");

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.NOETL_CHROMIUM ?? "/usr/bin/chromium",
    args: ARGUMENTS,
  });
}

export interface Visitor {
  page: Page;
  /** Console errors so far. A test that causes a 4xx answer removes its entry. */
  complaints: string[];
  close: () => Promise<void>;
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  return { page, complaints, close: () => context.close() };
}

interface Finding {
  id: string;
  impact?: string | null;
  nodes: { html: string; failureSummary?: string }[];
}

/** Fails with the serious and critical findings of axe and their places. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  // The policy forbids injected scripts, and does not apply to the debugger's evaluation.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<{ violations: Finding[] }>(
    "axe.run(document, { resultTypes: ['violations'] })",
  );
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary = "" }) => `${id}: ${html}\n  ${failureSummary}`),
    );
  expect(serious, `axe on ${what}`).toEqual([]);
}

export async function expectNoSidewaysScrolling(page: Page, what: string): Promise<void> {
  const over = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(over, `${what} is wider than the window`).toBe(0);
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}
