// Every page, light and dark, on a phone and on a wide screen: accessibility, layout, screenshots. Also reloads,
// unknown addresses, hostile text and use with the keyboard only.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible, expectNoSidewaysScrolling, launch, screenshot, visit } from "./browser";
import { FAILING, GREETING, HOSTILE, SLEEPER } from "./playbooks";
import { startServer, type Server } from "./server";

let server: Server;
let browser: Browser;
const runs = { done: "", failed: "", hostile: "", running: "" };

beforeAll(async () => {
  server = await startServer();
  browser = await launch();
  for (const playbook of [GREETING, GREETING.replace("Hello", "Good day"), FAILING, HOSTILE, SLEEPER]) {
    await server.register(playbook);
  }
  for (let round = 0; round < 12; round += 1) await server.execute("e2e/greeting", { seconds: 0.2 });
  runs.done = await server.execute("e2e/greeting", { seconds: 0.3, loud: true });
  runs.failed = await server.execute("e2e/failing");
  runs.hostile = await server.execute("e2e/hostile");
  for (const id of [runs.done, runs.failed, runs.hostile]) await server.waitUntilEnded(id);
  runs.running = await server.execute("e2e/sleeper");
  await server.post("/api/credentials", {
    name: "warehouse",
    type: "postgres",
    data: { host: "h", password: "p" },
  });
  await server.post("/api/worker/pool/register", {
    name: "atlas-1",
    runtime: "local",
    capacity: 4,
    hostname: "atlas",
  });
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

const PAGES: readonly [name: string, address: () => string, ready: string][] = [
  ["dashboard", () => "/", ".tile"],
  ["catalog", () => "/catalog", ".row-link"],
  ["playbook", () => "/playbook?id=e2e/greeting", ".run-bars"],
  ["editor", () => "/editor?id=e2e/greeting", ".react-flow__node"],
  ["editor-compare", () => "/editor?id=e2e/greeting&version=2&compare=1", ".cm-changedLine"],
  ["editor-new", () => "/editor", ".react-flow__node"],
  ["executions", () => "/execution", ".grid-body .row-link"],
  ["execution-completed", () => `/execution/${runs.done}`, ".react-flow__node"],
  ["execution-failed", () => `/execution/${runs.failed}`, ".errors"],
  ["execution-step", () => `/execution/${runs.done}?step=greet`, ".json-tree"],
  ["execution-events", () => `/execution/${runs.done}?tab=events`, ".event"],
  ["execution-running", () => `/execution/${runs.running}`, ".react-flow__node"],
  ["credentials", () => "/credentials", ".row-link"],
  ["workers", () => "/workers", ".table"],
  ["docs", () => "/docs", ".opblock-summary"],
  ["about", () => "/about", ".facts"],
  ["not-found", () => "/nowhere", "h1"],
];

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.concurrent.each(PAGES)("%s", async (name, address, ready) => {
    const { page, complaints, close } = await visit(browser, server.url, { colorScheme });
    await page.goto(address());
    await page.locator(ready).first().waitFor();
    // Streams stay open, so that the network is never idle. Wait for the charts and the flow.
    await page.waitForTimeout(400);
    await screenshot(page, `${name}-${colorScheme}`);
    await expectAccessible(page, `${name}, ${colorScheme}`);
    await expectNoSidewaysScrolling(page, name);
    expect(complaints).toEqual([]);
    await close();
  });

  test("dialogs", async () => {
    const { page, complaints, close } = await visit(browser, server.url, { colorScheme });
    await page.goto("/catalog");
    await page.getByRole("button", { name: "Run e2e/greeting" }).click();
    await page.getByLabel(/^message/).waitFor();
    await screenshot(page, `dialog-run-${colorScheme}`);
    await expectAccessible(page, "the dialog that runs");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Register" }).click();
    await page.getByLabel("Or paste it").fill("kind: Playbok\n");
    await page.locator(".problems li").first().waitFor();
    await screenshot(page, `dialog-register-${colorScheme}`);
    await expectAccessible(page, "the dialog that registers");
    expect(complaints).toEqual([]);
    await close();
  });
});

describe.each([
  [360, 740],
  [768, 1024],
  [2560, 1300],
])("%i pixels wide", (width, height) => {
  test.concurrent.each(PAGES)("%s", async (name, address, ready) => {
    const { page, complaints, close } = await visit(browser, server.url, { viewport: { width, height } });
    await page.goto(address());
    await page.locator(ready).first().waitFor();
    await expectNoSidewaysScrolling(page, `${name} at ${width} pixels`);
    await expectAccessible(page, `${name} at ${width} pixels`);
    await screenshot(page, `${name}-${width}`);
    expect(complaints).toEqual([]);
    await close();
  });
});

test("the chosen theme is applied after a reload, before the first paint", async () => {
  const { page, close } = await visit(browser, server.url, { colorScheme: "light" });
  await page.goto("/catalog");
  await page.getByTitle("Dark").click();
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(await background()).toBe("rgb(17, 22, 24)");
  await page.reload();
  expect(await background()).toBe("rgb(17, 22, 24)");
  await close();
});

test("long names of steps do not scroll a phone's page sideways", async () => {
  const name = "a".repeat(65);
  await server.register(GREETING.replaceAll("greet\n", `${name}\n`).replace("e2e/greeting", "e2e/long"));
  const id = await server.execute("e2e/long", { seconds: 0 });
  await server.waitUntilEnded(id);
  const { page, close } = await visit(browser, server.url, { viewport: { width: 360, height: 740 } });
  await page.goto(`/execution/${id}?step=${name}`);
  await page.locator(".log-text", { hasText: "Hello, ada" }).waitFor();
  await expectNoSidewaysScrolling(page, "long names");
  await close();
});

test("hostile text is shown as text", async () => {
  const { page, complaints, close } = await visit(browser, server.url);
  const addresses = ["/", "/catalog", "/editor?id=e2e/hostile", "/execution", `/execution/${runs.hostile}`];
  for (const address of addresses) {
    await page.goto(address);
    await page.getByText("e2e/hostile").first().waitFor();
    await expectNoSidewaysScrolling(page, address);
  }
  // A result of one megabyte is linked, and sent whole on request.
  const result = page.getByRole("region", { name: "Result", exact: true }).first();
  const link = result.getByRole("link", { name: /^Open the large value/ }).first();
  const href = (await link.getAttribute("href")) ?? "";
  expect(href).toMatch(/^\/api\/executions\/\d+\/result$/);
  const whole = await page.request.get(new URL(href, page.url()).href);
  expect((await whole.text()).length).toBeGreaterThan(1_000_000);
  await expectNoSidewaysScrolling(page, "a megabyte");
  await page.goto("/catalog");
  await page.getByRole("button", { name: "Run e2e/hostile" }).click();
  await page.getByLabel(/svg onload/).waitFor();
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  expect(complaints).toEqual([]);
  await close();
});

test("works with the keyboard only: skip link, navigation, dialog and back", async () => {
  const { page, complaints, close } = await visit(browser, server.url);
  await page.goto("/catalog");
  await page.getByRole("button", { name: "Run e2e/greeting" }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  expect(await focused()).toContain("New in the editor");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Register a playbook" });
  await dialog.waitFor();
  for (let press = 0; press < 12; press += 1) {
    await page.keyboard.press("Tab");
    // The focus may move to the browser's own controls, but not to the page behind the dialog.
    const isBehind = await page.evaluate(() => {
      const focused = document.activeElement;
      return focused?.closest("#root") !== null && focused?.closest("dialog") === null;
    });
    expect(isBehind).toBe(false);
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(await focused()).toContain("Register");
  expect(complaints).toEqual([]);
  await close();
});

test("the focus can leave the text by keyboard", async () => {
  const { page, close } = await visit(browser, server.url);
  await page.goto("/editor?id=e2e/greeting");
  await page.getByRole("textbox", { name: "Text of e2e/greeting" }).focus();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.classList.contains("code-host"))).toBe(false);
  await close();
});

test("the page needs no styles that the policy would have to allow inline", async () => {
  const { page, complaints, close } = await visit(browser, server.url);
  await page.route("**/*", async (route) => {
    if (route.request().resourceType() !== "document") return route.continue();
    const response = await route.fetch();
    const policy = (response.headers()["content-security-policy"] ?? "").replace(" 'unsafe-inline'", "");
    return route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
  });
  for (const [, address, ready] of PAGES) {
    await page.goto(address());
    await page.locator(ready).first().waitFor();
  }
  expect(complaints).toEqual([]);
  await close();
});
