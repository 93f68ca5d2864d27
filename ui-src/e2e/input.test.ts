// What goes in: a form that follows a schema, requests from the documentation of the API, and saves of two tabs.
import { beforeAll, expect, test } from "vitest";
import type { CatalogEntries } from "../src/api/schema";
import { expectAccessible, screenshot, visit } from "./browser";
import { browser, server, visitor } from "./frame";
import { GREETING, REGIONAL } from "./playbooks";

beforeAll(async () => {
  for (const playbook of [REGIONAL, GREETING]) await server.register(playbook);
});

/** Takes back the complaint of the browser about an answer that the test causes. */
function expectRefusal(status: number) {
  const at = visitor.complaints.findIndex((text) => text.includes(String(status)));
  expect(at, visitor.complaints.join("\n")).toBeGreaterThanOrEqual(0);
  visitor.complaints.splice(at, 1);
}

test("the form has the fields of the schema, and says at each what the server refuses", async () => {
  const { page } = visitor;
  await page.goto("/catalog");
  await page.getByRole("button", { name: "Run e2e/regional" }).click();
  const dialog = page.getByRole("dialog", { name: "Run e2e/regional" });
  await dialog.getByText("Where the cluster runs").waitFor();
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  expect(await dialog.getByText("This needs a value.").count()).toBe(2);

  await dialog.getByLabel(/^day/).focus();
  await page.keyboard.type("0131");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await dialog.getByText("This is not complete.").waitFor();
  await dialog.getByLabel(/^region/).selectOption({ label: "eu" });
  await dialog.getByLabel(/^day/).fill("2026-01-31");
  await dialog.getByLabel(/^replicas/).fill("50");
  await dialog.getByLabel(/^note/).fill("Hello, world");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await dialog.getByText("This must be at most 10.").waitFor();
  await dialog.getByText("This must match the pattern").waitFor();
  expectRefusal(422);
  await screenshot(page, "dialog-schema");
  await expectAccessible(page, "a form with refusals");

  // The JSON is that of the form, and back.
  await dialog.getByText("JSON", { exact: true }).click();
  expect(JSON.parse(await dialog.getByLabel(/^Payload/).inputValue())).toEqual({
    region: "eu",
    day: "2026-01-31",
    replicas: 50,
    note: "Hello, world",
  });
  await dialog.getByText("Form", { exact: true }).click();
  await dialog.getByLabel(/^replicas/).fill("3");
  await dialog.getByLabel(/^note/).fill("hello");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL("**/execution/*");
  await page.getByText("eu 3 2026-01-31 hello").first().waitFor();

  await page.goto("/playbook?id=e2e/regional");
  await page.getByRole("region", { name: "What the input must be" }).getByText("required").waitFor();
});

test.each(["light", "dark"] as const)("a request is sent from the documentation, %s", async (colorScheme) => {
  const other = await visit(browser, server.url, { colorScheme });
  const { page } = other;
  await page.goto("/about");
  await page.getByRole("link", { name: "API documentation" }).click();
  await page.getByRole("button", { name: /POST \/api\/context\/render/ }).click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute", exact: true }).click();
  const answer = page.locator(".live-responses-table");
  await answer.getByText('"ADA"').waitFor();
  await answer.scrollIntoViewIfNeeded();
  await screenshot(page, `docs-request-${colorScheme}`);
  await expectAccessible(page, `the documentation of the API, ${colorScheme}`);
  expect(other.complaints).toEqual([]);
  await other.close();
});

test("the second of two tabs that save is asked, and sees what the first one changed", async () => {
  const { page } = visitor;
  const second = await page.context().newPage();
  for (const [tab, line] of [
    [page, "# of the first tab\n"],
    [second, "# of the second tab\n"],
  ] as const) {
    await tab.goto("/editor?id=e2e/greeting");
    await tab.locator(".cm-content").click();
    await tab.keyboard.press("Control+Home");
    await tab.keyboard.insertText(line);
  }
  await page.getByRole("button", { name: "Save as new version" }).click();
  await page.getByText("e2e/greeting is saved as version 2").waitFor();

  // What runs is not what the editor shows.
  await second.getByRole("button", { name: "Run version 1" }).click();
  await second.getByText("The editor has changes that are not saved.").waitFor();
  await second.keyboard.press("Escape");

  await second.getByRole("button", { name: "Save as new version" }).click();
  const question = second.getByRole("dialog", { name: "Save as version 3 of e2e/greeting?" });
  await question.getByRole("link", { name: "Compare the two" }).click();
  await second.locator(".cm-changedLine", { hasText: "of the first tab" }).waitFor();
  const { entries } = await server.post<CatalogEntries>("/api/catalog/list", { path: "e2e/greeting" });
  expect(entries.map(({ version }) => version)).toEqual([2, 1]);
  await second.close();
});

test("a phone reaches every page of the navigation", async () => {
  const phone = await visit(browser, server.url, { viewport: { width: 360, height: 740 } });
  await phone.page.goto("/");
  for (const name of ["Workers", "About", "Catalog", "Executions", "Credentials", "Dashboard"]) {
    await phone.page.getByRole("navigation", { name: "Main" }).getByRole("link", { name }).click();
    await phone.page.waitForFunction((title) => document.title.startsWith(title), name);
  }
  expect(phone.complaints).toEqual([]);
  await phone.close();
});
