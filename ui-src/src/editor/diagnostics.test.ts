// Problems as marks in the text, also when the text has changed since the validation.
import { expect, test } from "vitest";
import { marksOf, rangeOf, type Lines } from "./diagnostics";

function linesOf(text: string): Lines {
  const lines = text.split("\n");
  return {
    lines: lines.length,
    line: (number) => {
      const from = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
      const content = lines[number - 1] ?? "";
      return { from, to: from + content.length, text: content };
    },
  };
}

const TEXT = "kind: Playbook\nworkflow:\n  - step: start\n";
const marked = (line: number, column: number, text = TEXT) => {
  const { from, to } = rangeOf(linesOf(text), line, column);
  return text.slice(from, to);
};

test("a column marks its word", () => {
  expect(marked(1, 7)).toBe("Playbook");
  expect(marked(3, 5)).toBe("step");
});

test("without a column the line is marked, from its first character", () => {
  expect(marked(3, 0)).toBe("- step: start");
});

test("without a line nothing is marked, at the beginning", () => {
  expect(rangeOf(linesOf(TEXT), 0, 0)).toEqual({ from: 0, to: 0 });
});

test("places beyond the text stay within it", () => {
  const { from, to } = rangeOf(linesOf(TEXT), 99, 99);
  expect([from, to]).toEqual([TEXT.length, TEXT.length]);
  expect(marked(1, 99)).toBe("");
});

test("columns count characters, of which JavaScript counts some twice", () => {
  expect(marked(1, 3, "😀 word")).toBe("word");
});

test("marks are in order and have the help", () => {
  const marks = marksOf(
    [
      { severity: "warning", message: "second", place: { file: "p", line: 3, column: 5 } },
      { severity: "error", message: "first", help: "do this", place: { file: "p", line: 1, column: 7 } },
    ],
    linesOf(TEXT),
  );
  expect(marks.map(({ message, severity }) => [message, severity])).toEqual([
    ["first\ndo this", "error"],
    ["second", "warning"],
  ]);
});
