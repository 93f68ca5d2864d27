// Unsaved changes are kept, and invalid numbers in addresses are ignored.
import { expect, test } from "vitest";
import { draftKey, draftOf, dropDraft, keepDraft } from "./drafts";
import { wholeNumber } from "./wholeNumber";

test("a draft is kept per version until it is saved, dropped or undone", () => {
  const key = draftKey("a/b", 2);
  keepDraft(key, "changed", "saved");
  expect([draftOf(key), draftOf(draftKey("a/b", 1))]).toEqual(["changed", undefined]);
  keepDraft(key, "saved", "saved");
  expect(draftOf(key)).toBeUndefined();
  keepDraft(key, "again", "saved");
  dropDraft(key);
  expect(draftOf(key)).toBeUndefined();
});

test("numbers of an address count from 1 and are whole", () => {
  expect(["3", "0", "-1", "1e3", "abc", "", null, "12345678901"].map(wholeNumber)).toEqual([
    3,
    ...Array<undefined>(7).fill(undefined),
  ]);
});
