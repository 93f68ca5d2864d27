// A server that requires a token: the prompt, the cookie that scripts cannot read, and streams, which send no
// headers and use the cookie.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible, launch, screenshot, visit } from "./browser";
import { startServer, type Server } from "./server";

const TOKEN = "a-token-for-the-suite-0123456789";
let server: Server;
let browser: Browser;

beforeAll(async () => {
  // Callers on the same machine need no token, unless the server listens on addresses that others can reach.
  server = await startServer({
    environment: { NOETL_API_TOKEN: TOKEN },
    arguments: ["--host", "0.0.0.0"],
    token: TOKEN,
  });
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("asks for the token, does not store it, and then works, streams included", async () => {
  const session = await fetch(`${server.url}/api/session`).then(
    (answer) => answer.json() as Promise<{ required: boolean }>,
  );
  expect(session.required).toBe(true);
  const { page, close } = await visit(browser, server.url);
  await page.goto("/execution");
  const dialog = page.getByRole("dialog", { name: "This server asks for a token" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await expectAccessible(page, "the token prompt");
  await screenshot(page, "token-prompt");
  await dialog.getByLabel("Token").fill("wrong");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("does not know this token").waitFor();
  await dialog.getByLabel("Token").fill(TOKEN);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByText("Nothing has run yet").waitFor();
  await page.locator(".live", { hasText: "Live" }).waitFor({ timeout: 40_000 });
  const visible = await page.evaluate(() =>
    [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie].join(),
  );
  expect(visible).not.toContain(TOKEN);
  const cookies = await page.context().cookies();
  expect(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([[true, "Strict"]]);
  await page.reload();
  await page.getByText("Nothing has run yet").waitFor();
  await close();
});
