// What a step prints: read while it runs, searched, linked and kept.
import { expect, test } from "vitest";
import { server, visitor } from "./frame";
import { CHATTY } from "./playbooks";

test("the log of a step is read while it runs, searched, and its lines have links", async () => {
  const { page } = visitor;
  await server.register(CHATTY);
  const id = await server.execute("e2e/chatty");
  await page.goto(`/execution/${id}`);
  const line = (text: string) => page.locator(".log-text", { hasText: text });
  await line("line 1").waitFor();
  expect(await line("line 4").count()).toBe(0);
  expect(await line("line 1").locator("[data-colour=green]").textContent()).toBe("line 1");
  await line("line 2").waitFor();
  await server.waitUntilEnded(id);
  // The end is followed: of the 20,000 rows, the last ones are in the document and the first are not.
  await line("row 20000").waitFor();
  expect(await line("line 1").count()).toBe(0);
  expect(await page.locator(".log-lines li").count()).toBeLessThan(200);

  await page.getByLabel("Step of the log").selectOption({ label: "start" });
  await line("line 1").waitFor();
  expect(new URL(page.url()).search).toBe("?step=start");
  await page.getByLabel("Search the log").fill("OOPS");
  await line("line 1").waitFor({ state: "hidden" });
  expect(await page.locator(".log-text").allTextContents()).toEqual(["oops"]);
  await page.getByLabel("Search the log").fill("");
  await page.getByRole("link", { name: "Line 3", exact: true }).click();
  expect(new URL(page.url()).hash).toBe("#L3");
  await page.reload();
  await page.locator("[data-target=true]", { hasText: "line 3" }).waitFor();

  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download", exact: true }).click(),
  ]);
  expect(file.suggestedFilename()).toBe(`${id}.log`);
  await page.getByLabel("Times").check();
  await page.locator(".log-time").first().waitFor();
});
