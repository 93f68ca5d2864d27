// What a file of tests needs that imports this: a server and a browser for all of its tests, and for each a visitor
// of its own, who must have nothing to complain about.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { launch, visit, type Visitor } from "./browser";
import { startServer, type Server } from "./server";

export let server: Server;
export let browser: Browser;
export let visitor: Visitor;

beforeAll(async () => {
  server = await startServer();
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});
beforeEach(async () => {
  visitor = await visit(browser, server.url);
});
afterEach(async () => {
  await visitor.close();
  expect(visitor.complaints).toEqual([]);
});
