// The server's problems as marks in the text: from lines and columns to offsets. Pure, and careful: the
// text may have changed since the server looked at it.
import type { Problem } from "../api/schema";

/** What is needed of CodeMirror's text, so that this can be tested without it. */
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

/** From the column to the end of its word; the whole line where the column is not known. */
export function rangeOf(text: Lines, line: number, column: number): { from: number; to: number } {
  const { from, to, text: content } = text.line(Math.min(Math.max(1, line), text.lines));
  const indent = content.length - content.trimStart().length;
  if (line < 1) return { from, to: from };
  if (column < 1) return { from: Math.min(from + indent, to), to };
  const start = Math.min(from + offsetOf(content, column - 1), to);
  const word = /^[^\s:,[\]{}]+/.exec(content.slice(start - from))?.[0].length ?? 0;
  return { from: start, to: Math.min(to, start + Math.max(1, word)) };
}

/** The server counts characters; JavaScript's text counts some of them twice. */
function offsetOf(content: string, characters: number): number {
  let offset = 0;
  for (let at = 0; at < characters && offset < content.length; at += 1) {
    offset += (content.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}
