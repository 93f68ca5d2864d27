// The steps of an execution: opened from the graph, the timeline, a list and an error, by mouse and by keys.
import { beforeAll, expect, test } from "vitest";
import { server, visitor } from "./frame";
import { DIVIDING, inLine } from "./playbooks";

let failed: string;

beforeAll(async () => {
  await server.register(DIVIDING);
  failed = await server.execute("e2e/dividing");
  expect(await server.waitUntilEnded(failed)).toBe("FAILED");
});

test("an item that failed is named, and opens with its input and traceback", async () => {
  const { page } = visitor;
  await page.goto(`/execution/${failed}`);
  await page.locator(".step-box", { hasText: "divide" }).getByText("6/6").waitFor();
  await page.getByRole("button", { name: "step divide, item 5" }).click();
  const panel = page.getByRole("region", { name: "Step divide" });
  await panel.getByText("6 calls: 1 failed, 5 completed").waitFor();
  await panel.getByRole("region", { name: "Traceback" }).getByText("ZeroDivisionError").waitFor();
  // The line of the code in the playbook, not that of the step.
  await panel.getByRole("link", { name: "Open the playbook at line 26" }).waitFor();
  await page.locator(".log-text", { hasText: "dividing by 0" }).waitFor();
  expect(await page.locator(".log-text", { hasText: "dividing by -1" }).count()).toBe(0);
  const input = panel.getByRole("group", { name: "Input" });
  for (const name of ["args", "known", "deep"]) await input.getByText(name, { exact: true }).click();
  await input.getByText("answer", { exact: true }).waitFor();

  await panel.getByLabel("Search the calls").fill("item 2");
  await panel.getByRole("button", { name: /item 2/ }).click();
  await panel.getByRole("group", { name: "Output" }).getByText("quotient").waitFor();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    panel.getByRole("button", { name: "Download Output" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/^\d+-divide-\d+-output\.json$/);

  // The address names the call.
  await page.reload();
  await panel.getByRole("group", { name: "Output" }).getByText("quotient").waitFor();
  await panel.getByRole("button", { name: "Close the step" }).click();
  await panel.waitFor({ state: "hidden" });
});

test("a step opens from the graph and the timeline, by mouse and by keys", async () => {
  const { page } = visitor;
  await page.goto(`/execution/${failed}`);
  await page.locator(".step-box", { hasText: "left" }).click();
  await page.getByRole("region", { name: "Step left" }).waitFor();
  await page.locator(".react-flow__node.selected", { hasText: "left" }).waitFor();

  await page.locator('.react-flow__node[data-id="start"]').focus();
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Step start" }).waitFor();
  await page.locator('.react-flow__node[data-id="start"]').focus();
  await page.keyboard.press("ArrowDown");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-id"));
  await expect.poll(focused).not.toBe("start");
  const first = await focused();
  const other = first === "left" ? "right" : "left";
  const xOf = async (id: string) => (await page.locator(`.react-flow__node[data-id="${id}"]`).boundingBox())?.x ?? 0;
  const isRight = (await xOf(other)) > (await xOf(first ?? ""));
  await page.keyboard.press(isRight ? "ArrowRight" : "ArrowLeft");
  await expect.poll(focused).toBe(other);
  await page.keyboard.press("ArrowUp");
  await expect.poll(focused).toBe("start");

  await page.getByRole("button", { name: /^divide\[3\]/ }).click();
  const panel = page.getByRole("region", { name: "Step divide" });
  await panel.locator(".call-title", { hasText: "item 3" }).waitFor();

  await page.getByText("List", { exact: true }).click();
  await page.getByLabel("Search the steps").fill("right");
  await page.getByRole("list", { name: "Steps" }).getByRole("button", { name: /right/ }).press("Enter");
  await page.getByRole("region", { name: "Step right" }).waitFor();
});

test("a long flow is drawn readable with a map, and a very long one is a list", async () => {
  const { page } = visitor;
  for (const steps of [26, 3500]) {
    await server.register(inLine(steps));
    const id = await server.execute(`e2e/line${steps}`);
    expect(await server.waitUntilEnded(id)).toBe("COMPLETED");
    await page.goto(`/execution/${id}`);
    if (steps === 26) {
      await page.locator(".react-flow__minimap").waitFor();
      const box = page.locator('.react-flow__node[data-id="s0"]');
      await box.waitFor();
      // The text of 13 px is drawn with at least 9.
      await expect.poll(async () => (await box.boundingBox())?.width).toBeGreaterThan(208 * 0.7);
    } else {
      const list = page.getByRole("list", { name: "Steps" });
      await list.getByRole("button", { name: /^Completed s0|s0/ }).first().waitFor();
      expect(await list.getByRole("listitem").count()).toBeLessThan(60);
      await page.getByLabel("Search the steps").fill("s3499");
      await list.getByRole("button", { name: /s3499/ }).click();
      await page.getByRole("region", { name: "Step s3499" }).getByText("noop").waitFor();
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  }
}, 120_000);

test("a run is repeated with other input, and retried from the step that failed", async () => {
  const { page } = visitor;
  await page.goto(`/execution/${failed}`);
  await page.getByRole("region", { name: "Input" }).getByText("items").waitFor();
  await page.getByRole("button", { name: "Retry" }).click();
  const retry = page.getByRole("dialog", { name: "Retry from what failed" });
  await retry.getByRole("button", { name: "Retry", exact: true }).click();
  await page.waitForURL((url) => /\/execution\/\d+$/.test(url.pathname) && !url.pathname.endsWith(failed));
  await page.getByRole("link", { name: "retry of another execution" }).waitFor();
  // Five of the six items have their results from the first run.
  const box = page.locator(".step-box", { hasText: "divide" });
  await box.getByText("6/6").waitFor();
  await page.getByRole("button", { name: "step divide, item 5" }).click();
  const panel = page.getByRole("region", { name: "Step divide" });
  await panel.getByLabel("Search the calls").fill("item 4");
  await panel.getByRole("button", { name: /item 4/ }).click();
  await panel.getByText(`execution-${failed}`).waitFor();

  await page.getByRole("button", { name: "Run again" }).click();
  const run = page.getByRole("dialog", { name: "Run e2e/dividing" });
  await run.getByLabel(/^items/).fill("[1, 2]");
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".page-facts .badge", { hasText: "Completed" }).waitFor();
  await page.getByRole("button", { name: "Run again" }).click();
  await expect.poll(() => run.getByLabel(/^items/).inputValue()).toMatch(/^\[\s*1,\s*2\s*\]$/);
});

test("the page of a playbook has its flow, its runs and its versions, and the catalog its last runs", async () => {
  const { page } = visitor;
  await page.goto("/catalog");
  await page.getByRole("list", { name: "Last runs of e2e/dividing, oldest first" }).getByRole("link").first().waitFor();
  await page.getByRole("link", { name: "e2e/dividing", exact: true }).click();
  await page.locator(".step-box", { hasText: "divide" }).waitFor();
  await page.getByText(/^\d of \d runs? completed/).waitFor();
  await page.getByRole("link", { name: "Version 1" }).waitFor();
  await page.getByRole("button", { name: "Run …", exact: true }).click();
  await page.getByRole("dialog", { name: "Run e2e/dividing" }).getByLabel(/^items/).waitFor();
  await page.keyboard.press("Escape");
  const bars = page.getByRole("list", { name: "Runs over time, oldest first" });
  await bars.getByRole("link", { name: /^Failed/ }).first().click();
  await page.waitForURL(/\/execution\/\d+$/);
});
