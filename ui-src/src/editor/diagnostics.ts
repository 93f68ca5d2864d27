// Converts the server's problems into marks in the text: lines and columns into offsets. Pure. Places may be
// outside the text, since it may have changed since the validation.
import type { Problem } from "../api/schema";

/** The part of CodeMirror's text that is used here, so that tests do not need CodeMirror. */
export interface Lines {
  lines: number;
  line: (number: number) => { from: number; to: number; text: string };
}

export interface Mark {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
}

export function marksOf(problems: readonly Problem[], text: Lines): Mark[] {
  return problems
    .map(({ severity, message, help, place }): Mark => {
      const { from, to } = rangeOf(text, place.line, place.column);
      const isHelpful = typeof help === "string" && help !== "";
      return { from, to, severity, message: isHelpful ? `${message}\n${help}` : message };
    })
    .sort((a, b) => a.from - b.from);
}

/** Returns the range from the column to the end of its word, or the whole line when the column is unknown. */
export function rangeOf(text: Lines, line: number, column: number): { from: number; to: number } {
  const { from, to, text: content } = text.line(Math.min(Math.max(1, line), text.lines));
  const indent = content.length - content.trimStart().length;
  if (line < 1) return { from, to: from };
  if (column < 1) return { from: Math.min(from + indent, to), to };
  const start = Math.min(from + offsetOf(content, column - 1), to);
  const word = /^[^\s:,[\]{}]+/.exec(content.slice(start - from))?.[0].length ?? 0;
  return { from: start, to: Math.min(to, start + Math.max(1, word)) };
}

/** Converts a number of characters into an offset in UTF-16 units. */
function offsetOf(content: string, characters: number): number {
  let offset = 0;
  for (let at = 0; at < characters && offset < content.length; at += 1) {
    offset += (content.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}
