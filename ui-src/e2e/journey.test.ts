// The steps of a new user: register a playbook, fix its problems, run it, watch it, read the result, cancel
// another execution; and credentials.
import { expect, test } from "vitest";
import { server, visitor } from "./frame";
import { FAILING, GREETING, SLEEPER } from "./playbooks";

test("a playbook with an error is registered after it is fixed", async () => {
  const { page } = visitor;
  await page.goto("/");
  await page.getByRole("link", { name: "Register a playbook" }).click();
  const dialog = page.getByRole("dialog", { name: "Register a playbook" });
  await dialog
    .getByLabel("Or paste it")
    .fill(GREETING.replace("- step: greet\n  - step", "- step: gret\n  - step"));
  await dialog.getByText(/Line 18, column \d+:/).waitFor();
  await dialog.getByText("there is no step `gret`").waitFor();
  await dialog.getByLabel("Or paste it").fill(GREETING);
  await dialog.getByText("Valid:").waitFor();
  await dialog.getByRole("button", { name: "Register" }).click();
  await page.getByRole("link", { name: "e2e/greeting", exact: true }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/catalog");
});

test("the editor marks errors during typing, draws the flow, and saves a new version", async () => {
  const { page } = visitor;
  await page.goto("/editor?id=e2e/greeting");
  await page.locator(".verdict", { hasText: "Valid" }).waitFor();
  await page.locator(".react-flow__node").nth(3).waitFor();
  expect(await page.locator(".react-flow__node").count()).toBe(4);
  expect(await page.locator(".flow-label").allTextContents()).toEqual(["workload.loud"]);

  const text = page.getByRole("textbox", { name: "Text of e2e/greeting" });
  await text.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("  - step: lost\n    next: [{step: nowhere}]\n");
  await page.locator(".verdict", { hasText: "1 error" }).waitFor();
  await page.locator(".cm-lint-marker-error").waitFor();
  // The unreachable step, and its edge to a step that does not exist.
  const places = page.getByRole("button", { name: /^Line \d+, column \d+:$/ });
  expect(await places.count()).toBe(2);
  await places.last().click();
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+End");
  await page.locator(".verdict", { hasText: "Valid" }).waitFor();

  // A change that is discarded, and another one that opening a comparison must not lose.
  await page.keyboard.insertText("# never mind\n");
  await page.getByRole("button", { name: "Discard changes" }).click();
  await page.locator(".cm-line", { hasText: "# never mind" }).waitFor({ state: "hidden" });
  await text.click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.insertText("# first line\n");
  await page.getByLabel("Compare with").selectOption("1");
  await page.locator(".cm-changedLine", { hasText: "# first line" }).waitFor();
  await page.getByLabel("Compare with").selectOption("");
  await page.locator(".cm-line", { hasText: "# first line" }).waitFor();
  await text.click();

  // A change that is saved: the default of the message.
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("# looked over\n");
  await page.locator(".verdict", { hasText: "Valid" }).waitFor();
  await page.keyboard.press("Control+s");
  await page.getByText("e2e/greeting is saved as version 2").waitFor();
  await page.getByLabel("Compare with").selectOption("1");
  await page.locator(".cm-changedLine", { hasText: "# looked over" }).waitFor();
});

test("a run is updated live, and shows its result", async () => {
  const { page } = visitor;
  await page.goto("/catalog");
  await page.getByRole("button", { name: "Run e2e/greeting" }).click();
  const dialog = page.getByRole("dialog", { name: "Run e2e/greeting" });
  await dialog.getByLabel(/^message/).fill("Good day");
  await dialog.getByLabel(/^seconds/).fill("2");
  await dialog.getByLabel(/^names/).fill('["mary"]');
  await dialog.getByRole("button", { name: "Run", exact: true }).click();

  await page.waitForURL(/\/execution\/\d+$/);
  await page.locator('.step-box[data-status="RUNNING"]', { hasText: "start" }).waitFor();
  await page.locator('.step-box[data-status="COMPLETED"]', { hasText: "greet" }).waitFor();
  await page.getByRole("button", { name: "Run again" }).waitFor();
  await page.locator(".page-facts .badge", { hasText: "Completed" }).waitFor();
  await page.getByRole("region", { name: "Result" }).getByText("Good day, mary").first().waitFor();
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByRole("button", { name: /playbook\.completed/ }).waitFor();

  await page.getByLabel("Event type").selectOption("playbook.initialized");
  await page.getByRole("button", { name: /playbook\.initialized/ }).click();
  await page.locator(".event-details", { hasText: '"message": "Good day"' }).waitFor();

  await page.reload();
  await page.locator('.step-box[data-status="COMPLETED"]', { hasText: "greet" }).waitFor();
});

test("a running execution is cancelled in the list, which is updated by the server", async () => {
  const { page } = visitor;
  await server.register(SLEEPER);
  await page.goto("/execution");
  await page.locator(".live", { hasText: "Live" }).waitFor();
  const id = await server.execute("e2e/sleeper");
  const row = page.getByRole("row").filter({ hasText: id });
  await row.locator(".badge", { hasText: "Running" }).waitFor();
  await row.getByRole("button", { name: `Cancel execution ${id}` }).click();
  const question = page.getByRole("dialog", { name: "Cancel this execution?" });
  await question.getByRole("button", { name: "Keep" }).click();
  await question.waitFor({ state: "hidden" });
  await row.getByRole("button", { name: `Cancel execution ${id}` }).click();
  await question.getByRole("button", { name: "Cancel the execution" }).click();
  await row.locator(".badge", { hasText: "Cancelled" }).waitFor();
  expect(await server.waitUntilEnded(id)).toBe("CANCELLED");

  await page.getByLabel("Status").selectOption("CANCELLED");
  await page.waitForURL(/status=CANCELLED/);
  await page.locator(".page-facts", { hasText: "1 match" }).waitFor();
  await page.getByRole("searchbox").fill("nothing like it");
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Clear the filter" }).click();
  // A double click starts one.
  await row.getByRole("button", { name: `Rerun execution ${id}` }).dblclick();
  await page.waitForURL(/\/execution\/\d+$/);
  expect(await server.get<unknown[]>("/api/executions?q=e2e/sleeper")).toHaveLength(2);
  await page.getByRole("button", { name: "Cancel" }).click();
  await question.getByLabel("Reason").fill("wrong input");
  await question.getByRole("button", { name: "Cancel the execution" }).click();
  await page.getByRole("region", { name: "Why it was cancelled" }).getByText("wrong input").waitFor();
  await page.locator(".page-facts .badge", { hasText: "Cancelled" }).waitFor();
});

test("a failure links to its line in the editor", async () => {
  const { page } = visitor;
  await server.register(FAILING);
  const id = await server.execute("e2e/failing");
  expect(await server.waitUntilEnded(id)).toBe("FAILED");
  await page.goto(`/execution/${id}`);
  const why = page.getByRole("region", { name: "Why it failed" });
  await why.getByRole("link", { name: /Open the playbook at line \d+/ }).click();
  await page.waitForURL(/\/editor\?id=e2e%2Ffailing&version=1&line=\d+/);
  const active = page.locator(".cm-activeLine");
  await active.waitFor();
  expect(await page.locator(".cm-activeLineGutter").first().textContent()).toMatch(/^\d+$/);
});

test("a credential is stored, tested and deleted, and its secret is never returned", async () => {
  const { page } = visitor;
  const answers: string[] = [];
  page.on("response", (response) => {
    if (response.url().includes("/api/credentials"))
      void response.text().then(
        (text) => answers.push(text),
        () => undefined,
      );
  });
  await page.goto("/credentials");
  await page.getByRole("button", { name: "Store a credential" }).click();
  const dialog = page.getByRole("dialog", { name: "New credential" });
  await dialog.getByLabel("Name", { exact: true }).fill("warehouse");
  await dialog.getByLabel("Host", { exact: true }).fill("127.0.0.1");
  await dialog.getByLabel("Port", { exact: true }).fill("1");
  await dialog.getByLabel("Database", { exact: true }).fill("db");
  await dialog.getByLabel("User", { exact: true }).fill("me");
  await dialog.getByLabel("Password", { exact: true }).fill("s3cret-word");
  await dialog.getByRole("button", { name: "Store" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Test warehouse" }).click();
  await page.getByText(/^Does not work: /).waitFor({ timeout: 30_000 });
  await page.reload();
  await page.getByText("warehouse").waitFor();
  expect(await page.content()).not.toContain("s3cret-word");
  expect(answers.join()).not.toContain("s3cret-word");

  await page.getByRole("button", { name: "Delete warehouse" }).click();
  await page.getByRole("button", { name: "Delete credential" }).click();
  await page.getByText("No credential yet").waitFor();
});

test("a version and then a playbook are deleted after confirmation", async () => {
  const { page } = visitor;
  await page.goto("/catalog");
  await page.getByRole("button", { name: "v2, versions of e2e/greeting" }).click();
  await page.getByRole("button", { name: "Delete version 2" }).click();
  await page.getByRole("button", { name: "Delete this version" }).click();
  await page.getByText("Version 2 of e2e/greeting is deleted").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Delete e2e/greeting" }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Delete e2e/greeting" }).click();
  await page.getByRole("button", { name: "Delete all versions" }).click();
  await page.getByText("e2e/greeting is deleted", { exact: true }).waitFor();
  await page.getByRole("link", { name: "e2e/greeting", exact: true }).waitFor({ state: "hidden" });
});

test("a save that would follow what was not opened is a question", async () => {
  const { page } = visitor;
  await server.register(FAILING);
  await page.goto("/editor?id=e2e/failing");
  const text = page.getByRole("textbox", { name: "Text of e2e/failing" });
  await text.click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.insertText("# mine\n");
  await server.register(`# theirs\n${FAILING}`);
  await page.locator(".verdict", { hasText: "Valid" }).waitFor();
  await page.getByRole("button", { name: "Save as new version" }).click();
  const question = page.getByRole("dialog", { name: /^Save as version \d+ of e2e\/failing\?$/ });
  await question.getByRole("link", { name: "Compare the two" }).waitFor();
  await question.getByRole("button", { name: /^Save as version/ }).click();
  await page.waitForURL(/version=\d+/);
  await page.locator(".cm-line", { hasText: "# mine" }).waitFor();

  // The template of a new playbook has a path of its own.
  await server.register(FAILING.replace("e2e/failing", "examples/hello"));
  await page.goto("/editor");
  await page.locator(".cm-line", { hasText: "path: examples/hello-2" }).waitFor();
});
