// How values of the build stamp read, those of a plain `cargo build` included.
import { expect, test } from "vitest";
import { allFacts, shortFacts } from "./facts";
import { STAMP } from "./testing";

const line = (facts: ReturnType<typeof allFacts>, label: string) =>
  facts.find((fact) => fact.label === label);

test("hashes are cut short and kept in full", () => {
  const facts = shortFacts(STAMP);
  expect(line(facts, "Commit")).toEqual({ label: "Commit", value: "0123456789ab", full: STAMP.commit });
  expect(line(facts, "Page hash")?.value).toBe("ffffffffffff");
});

test("a commit with changes on top says so in its short form", () => {
  const facts = shortFacts({ ...STAMP, commit: `${STAMP.commit}-dirty` });
  expect(line(facts, "Commit")?.value).toBe("0123456789ab-dirty");
});

test("what the build did not know is named, never left blank", () => {
  const bare = { ...STAMP, commit: "", rustc: "", target_features: "", ui_sha256: null, ui_embedded: false };
  expect(line(shortFacts(bare), "Commit")).toEqual({ label: "Commit", value: "unknown" });
  expect(line(shortFacts(bare), "Page hash")).toEqual({ label: "Page hash", value: "no page in the binary" });
  for (const { label, value } of [...shortFacts(bare), ...allFacts(bare)]) {
    expect(value, label).not.toBe("");
  }
});

test("every field of the stamp has a line", () => {
  expect(allFacts(STAMP)).toHaveLength(Object.keys(STAMP).length);
});
