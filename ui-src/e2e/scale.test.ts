// Performance of the list with 5,000 executions, and of the page of an execution with 2,000 events.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, screenshot, visit } from "./browser";
import { MANY_EVENTS, NOTHING } from "./playbooks";
import { startServer, type Server } from "./server";

const EXECUTIONS = 5000;
const AT_ONCE = 8;
// The limits are for an idle machine, NOETL_IDLE=1. Elsewhere builds and tests share the cores. Ten times the
// limit still detects a page that loads all data instead of what it shows.
const PATIENCE = process.env.NOETL_IDLE === "1" ? 1 : 10;
const FIRST_ROWS_MILLISECONDS = 1000 * PATIENCE;
/** A longer frame is a visible stutter. */
const FRAME_MILLISECONDS = 100 * PATIENCE;

let server: Server;
let browser: Browser;
let long: string;

beforeAll(async () => {
  server = await startServer();
  browser = await launch();
  await server.register(NOTHING);
  await server.register(MANY_EVENTS);
  long = await server.execute("load/many");
  expect(await server.waitUntilEnded(long)).toBe("COMPLETED");
  let started = 0;
  const startThem = async () => {
    while (started < EXECUTIONS) {
      started += 1;
      await server.execute("load/nothing");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, startThem));
}, 300_000);
afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("the first rows of 5,000 are shown within a second, and scrolling does not stutter", async () => {
  const { page, complaints, close } = await visit(browser, server.url);
  // The first visit warms up the browser's code cache.
  await page.goto("/execution");
  await page.locator(".grid-body .row-link").first().waitFor();
  const took: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await page.goto("/about");
    const from = Date.now();
    await page.getByRole("link", { name: "Executions", exact: true }).click();
    await page.locator(".grid-body .row-link").first().waitFor();
    took.push(Date.now() - from);
  }
  // The fastest visit counts, since other processes may slow down the others.
  expect(Math.min(...took)).toBeLessThan(FIRST_ROWS_MILLISECONDS);
  await page.locator(".page-facts", { hasText: "5,001 executions" }).waitFor();

  const frames = await scroll(page, ".grid-scroll", 150);
  expect(quantile(frames, 0.95)).toBeLessThan(FRAME_MILLISECONDS);
  expect(await page.locator(".grid-body .grid-row").count()).toBeLessThan(80);
  await page.locator(".grid-foot", { hasText: /^(?:[4-9]\d\d|\d,\d{3}) of 5,001 loaded/ }).waitFor();
  await screenshot(page, "executions-5000");
  // The way back from an execution leads to the same place.
  const top = () => page.evaluate(() => document.querySelector(".grid-scroll")?.scrollTop ?? 0);
  const place = await top();
  expect(place).toBeGreaterThan(1000);
  const row = page.locator(".grid-body .row-link").nth(15);
  await row.click();
  await page.waitForURL(/\/execution\/\d+$/);
  await page.goBack();
  await expect.poll(top).toBeGreaterThan(place - 500);
  expect(complaints).toEqual([]);
  await close();
});

test("the page of an execution with more than 2,000 events is as quick", async () => {
  const { page, complaints, close } = await visit(browser, server.url);
  await page.goto(`/execution/${long}?tab=events`);
  const from = Date.now();
  await page.locator(".event").first().waitFor();
  expect(Date.now() - from).toBeLessThan(2 * FIRST_ROWS_MILLISECONDS);
  await page.locator(".toolbar", { hasText: /[2-9],\d{3} events/ }).waitFor();
  const frames = await scroll(page, ".event-scroll", 150);
  expect(quantile(frames, 0.95)).toBeLessThan(FRAME_MILLISECONDS);
  expect(await page.locator(".event").count()).toBeLessThan(100);
  await page.getByLabel("Search the events").fill("playbook.completed");
  await page.locator(".toolbar", { hasText: /1 of [2-9],\d{3} events/ }).waitFor();
  await screenshot(page, "execution-2000-events");
  expect(complaints).toEqual([]);
  await close();
});

/** Scrolls down by one step per frame. Returns the duration of each frame. */
function scroll(page: Page, selector: string, steps: number): Promise<number[]> {
  return page.evaluate(
    async ({ selector, steps }) => {
      const element = document.querySelector(selector);
      const frames: number[] = [];
      let last = performance.now();
      for (let step = 0; step < steps; step += 1) {
        element?.scrollBy(0, 160);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - last);
        last = now;
      }
      return frames;
    },
    { selector, steps },
  );
}

function quantile(numbers: number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}
