// Which texts are saved without a question.
import { expect, test } from "vitest";
import { clashOf, pathIn } from "./clash";
import { freeTemplate, NEW_PLAYBOOK } from "./template";

test("the path of a playbook is found in its metadata alone", () => {
  expect(pathIn(NEW_PLAYBOOK)).toBe("examples/hello");
  expect(pathIn('metadata:\n  name: a\n\n  path: "x/y" # why\nworkload:\n  path: no\n')).toBe("x/y");
  expect(pathIn("workload:\n  path: no\n")).toBeUndefined();
});

test("a text follows the newest version of what was opened, and nothing else, without a question", () => {
  const versions = [{ version: 1 }, { version: 3 }];
  const text = "metadata:\n  path: a\n";
  expect(clashOf(text, "", undefined, [])).toBeUndefined();
  expect(clashOf(text, "a", 3, versions)).toBeUndefined();
  expect(clashOf(text, "a", 1, versions)).toEqual({ path: "a", newest: 3 });
  expect(clashOf(text, "", undefined, versions)).toEqual({ path: "a", newest: 3 });
  expect(clashOf(text, "b", 3, versions)).toEqual({ path: "a", newest: 3 });
});

test("a new playbook gets a path that no other one has", () => {
  expect(freeTemplate(["x"])).toBe(NEW_PLAYBOOK);
  expect(pathIn(freeTemplate(["examples/hello", "examples/hello-2"]))).toBe("examples/hello-3");
});
