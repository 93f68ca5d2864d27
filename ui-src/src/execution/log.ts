// What the log shows of its lines: rows with numbers, the gaps between them, and those that a search finds. Pure.
import type { LogFilter } from "../api/logs";
import type { LogAttempt, LogLine } from "../api/schema";
import { plainText } from "./ansi";

/** A line with its number in what is shown, or how many lines are missing at a place. */
export type LogRow = { number: number; line: LogLine } | { missing: number; key: string };

/** Returns the rows. Of one attempt, a line has its own number; of several, the number of its place. */
export function rowsOf(lines: readonly LogLine[], search: string): LogRow[] {
  const wanted = search.toLowerCase();
  const last = new Map<string, number>();
  const labels = new Set(lines.map(labelOf));
  const rows: LogRow[] = [];
  lines.forEach((line, index) => {
    const label = labelOf(line);
    const missing = line.line - (last.get(label) ?? 0) - 1;
    last.set(label, line.line);
    if (missing > 0 && wanted === "") rows.push({ missing, key: `${label} ${line.line}` });
    if (wanted !== "" && !plainText(line.text).toLowerCase().includes(wanted)) return;
    rows.push({ number: labels.size === 1 ? line.line : index + 1, line });
  });
  return rows;
}

/** Returns what names an attempt: `load[3] #2`. */
export function labelOf({ step, item, attempt }: Pick<LogLine, "step" | "item" | "attempt">): string {
  const place = item === null ? step : `${step}[${item}]`;
  return attempt > 1 ? `${place} #${attempt}` : place;
}

/** Returns the lines as the text of a file. */
export function textOf(lines: readonly LogLine[]): string {
  const text = lines.map((line) => `${line.time} ${labelOf(line)} ${line.stream} ${plainText(line.text)}\n`);
  return text.join("");
}

/** Reads a filter from the address. */
export function filterIn(parameters: URLSearchParams): LogFilter {
  const number = (name: string) => {
    const text = parameters.get(name);
    return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
  };
  return { step: parameters.get("step") ?? "", item: number("item"), attempt: number("attempt") };
}

/** Writes a filter to the parameters of an address, and leaves the others. */
export function withFilter(parameters: URLSearchParams, filter: LogFilter): URLSearchParams {
  const next = new URLSearchParams(parameters);
  for (const [name, value] of Object.entries(filter) as [string, string | number | null][]) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, String(value));
  }
  return next;
}

/** Returns the choices of a select: each step, and under it its items and attempts when there are several. */
export function choicesOf(attempts: readonly LogAttempt[]): LogFilter[] {
  const choices: LogFilter[] = [];
  const byStep = new Map<string, LogAttempt[]>();
  for (const attempt of attempts) {
    const those = byStep.get(attempt.step);
    if (those === undefined) byStep.set(attempt.step, [attempt]);
    else those.push(attempt);
  }
  for (const [step, those] of byStep) {
    choices.push({ step, item: null, attempt: null });
    if (those.length > 1) choices.push(...those.map(({ item, attempt }) => ({ step, item, attempt })));
  }
  return choices;
}

export function choiceLabel({ step, item, attempt }: LogFilter): string {
  if (step === "") return "All steps";
  const place = item === null ? step : `${step}[${item}]`;
  return attempt === null ? place : `${place}, attempt ${attempt}`;
}
