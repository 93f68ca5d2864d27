// Reads the colours of terminals in a line (ECMA-48, "SGR"): the sixteen colours and bold. All other controls are left out.
// Pure.

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

export interface Span {
  text: string;
  colour: (typeof COLOURS)[number] | null;
  isBold: boolean;
}

// eslint-disable-next-line no-control-regex -- controls are what it is about
const CONTROL = /\x1b\[([0-9;:?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** Returns the parts of a line with their looks. */
export function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  let colour: Span["colour"] = null;
  let isBold = false;
  let end = 0;
  function push(text: string): void {
    if (text !== "") spans.push({ text, colour, isBold });
  }
  // A program that draws over its line, such as a progress bar, leaves what it has drawn last.
  const text = line.slice(line.lastIndexOf("\r", line.length - 2) + 1);
  for (const match of text.matchAll(CONTROL)) {
    push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[2] !== "m") continue;
    const codes = (match[1] ?? "").split(/[;:]/).map(Number);
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 0) [colour, isBold] = [null, false];
      else if (code === 1) isBold = true;
      else if (code === 22) isBold = false;
      else if (code === 39) colour = null;
      else if (code >= 30 && code <= 37) colour = COLOURS[code - 30] ?? null;
      else if (code >= 90 && code <= 97) colour = COLOURS[code - 90] ?? null;
      // One of 256 colours, or one by red, green and blue: its numbers are no codes of their own.
      else if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4;
    }
  }
  push(text.slice(end));
  return spans;
}

/** Returns a line without controls. */
export function plainText(line: string): string {
  return spansOf(line)
    .map(({ text }) => text)
    .join("");
}
