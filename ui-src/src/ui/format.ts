// Formats times, durations, counts and sizes. Pure: the current time is an argument.
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns a text such as `0.42 s`, `3.1 s`, `2 min 5 s`, `1 h 3 min` or `2 d 4 h`. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0) return formatDuration(0);
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < MINUTE - 0.5) return `${Math.round(seconds)} s`;
  if (seconds < HOUR) return parts(Math.round(seconds), MINUTE, "min", 1, "s");
  if (seconds < DAY) return parts(Math.round(seconds / MINUTE) * MINUTE, HOUR, "h", MINUTE, "min");
  return parts(Math.round(seconds / HOUR) * HOUR, DAY, "d", HOUR, "h");
}

function parts(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small);
  const whole = `${Math.floor(seconds / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/** Returns the duration until the end, or until now when there is no end. */
export function elapsedSeconds(start: string, end: string | null, now: number): number | null {
  const from = Date.parse(start);
  const to = end === null ? now : Date.parse(end);
  return Number.isNaN(from) || Number.isNaN(to) ? null : Math.max(0, (to - from) / 1000);
}

/** Returns a text such as `just now`, `4 min ago` or `in 2 h`; a date from one week on. */
export function formatRelative(time: string, now: number): string {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return "–";
  const seconds = (now - at) / 1000;
  const away = Math.abs(seconds);
  if (away < 10) return "just now";
  if (away >= 7 * DAY) return formatDate(time);
  const units = [
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [1, "s"],
  ] as const;
  const [size, name] = units.find(([unit]) => away >= unit) ?? [1, "s"];
  const text = `${Math.floor(away / size)} ${name}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/** Returns a date such as `2026-11-23`, in local time. */
export function formatDate(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Returns a time such as `14:03:07`, on request with milliseconds. */
export function formatClock(time: string, precision: "seconds" | "milliseconds" = "seconds"): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return precision === "seconds" ? clock : `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function formatDateTime(time: string): string {
  return Number.isNaN(Date.parse(time)) ? "–" : `${formatDate(time)} ${formatClock(time)}`;
}

export function formatPercent(share: number | null): string {
  if (share === null) return "–";
  // 100 % must mean that nothing failed.
  const percent = share < 1 ? Math.min(share * 100, 99.9) : 100;
  return `${percent.toFixed(percent === 100 || percent === 0 ? 0 : 1)} %`;
}

export function formatSize(characters: number): string {
  if (characters < 1000) return `${characters} characters`;
  const kilo = characters / 1000;
  return kilo < 1000 ? `${kilo.toFixed(0)} k characters` : `${(kilo / 1000).toFixed(1)} M characters`;
}

/** Returns a size in bytes, as a text such as `1.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Returns a text such as `1 step` or `2 steps`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** Puts the message of an error before its place: `a.yaml:3:5: step `x`, field `tool`: it broke` is cut at its end. */
export function messageFirst(error: string): string {
  const match = /^(\S+:\d+(?::\d+)?: (?:step `[^`]*`(?:, field `[^`]*`)?: )?)([^]+)$/.exec(error);
  const [, place, message] = match ?? [];
  if (place === undefined || message === undefined) return error;
  return `${message} – ${place.slice(0, -2)}`;
}
