// Colours of terminals in lines.
import { expect, test } from "vitest";
import { plainText, spansOf } from "./ansi";

const ESC = "\u001b";

test("colours and bold begin and end where the line says", () => {
  expect(spansOf(`a ${ESC}[1;31mred${ESC}[22m thin${ESC}[0m b`)).toEqual([
    { text: "a ", colour: null, isBold: false },
    { text: "red", colour: "red", isBold: true },
    { text: " thin", colour: "red", isBold: false },
    { text: " b", colour: null, isBold: false },
  ]);
  expect(spansOf(`${ESC}[92mok${ESC}[39m`)[0]).toMatchObject({ text: "ok", colour: "green" });
});

test("the numbers of other colours are no colours, and other controls are left out", () => {
  expect(spansOf(`${ESC}[38;5;31mx`)).toEqual([{ text: "x", colour: null, isBold: false }]);
  expect(spansOf(`${ESC}[38;2;31;32;33mx`)).toEqual([{ text: "x", colour: null, isBold: false }]);
  expect(plainText(`${ESC}]0;title\u0007a${ESC}[2Kb\u0008c\td`)).toBe("abc\td");
});

test("of a line that was drawn over, the last drawing is left", () => {
  expect(plainText("10 %\r50 %\r100 %")).toBe("100 %");
  expect(plainText("")).toBe("");
});
