// How values of the build stamp read, those of a plain `cargo build` included.
import { expect, test } from "vitest";
import { allFacts, serverFacts } from "./facts";
import { STAMP } from "./testing";

const line = (facts: ReturnType<typeof allFacts>, label: string) =>
  facts.find((fact) => fact.label === label);

test("what the build did not know is named, never left blank", () => {
  const bare = { ...STAMP, commit: "", rustc: "", target_features: "", ui_sha256: null, ui_embedded: false };
  expect(line(allFacts(bare), "Commit")).toEqual({ label: "Commit", value: "unknown" });
  for (const { label, value } of allFacts(bare)) {
    expect(value, label).not.toBe("");
  }
});

test("every field of the stamp has a line", () => {
  expect(allFacts(STAMP)).toHaveLength(Object.keys(STAMP).length);
});

test("of the server, only what it says has a line", () => {
  const facts = serverFacts({ status: "ok", version: "0.1.0", storage: "sqlite", uptime_seconds: 125 });
  expect(facts).toEqual([
    { label: "Version", value: "0.1.0" },
    { label: "Storage", value: "sqlite" },
    { label: "Runs for", value: "2 min 5 s" },
  ]);
});
