// Text of playbooks and payloads, of any length and script: shown as text, cut when it is long, and isolated so that
// bidirectional control characters do not affect the text around it.
import { useState } from "react";
import type { OmittedValue } from "../api/schema";
import { CopyButton } from "./CopyButton";
import { formatBytes, formatSize } from "./format";

const LIMIT = 4000;
const LINKS = 20;

/** Returns the start of a text, cut between characters. */
export function cut(text: string, limit = LIMIT): string {
  if (text.length <= limit) return text;
  const head = text.slice(0, limit);
  return /[\uD800-\uDBFF]$/.test(head) ? head.slice(0, -1) : head;
}

/** Returns a value as indented JSON, and a text unchanged. */
export function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}

/** Returns what the server has left out of a value, since it is large. */
export function omittedIn(value: unknown): OmittedValue[] {
  if (typeof value !== "object" || value === null) return [];
  return isOmitted(value) ? [value] : Object.values(value).flatMap(omittedIn);
}

export function isOmitted(value: object): value is OmittedValue {
  return (
    "omitted_bytes" in value &&
    typeof value.omitted_bytes === "number" &&
    "href" in value &&
    typeof value.href === "string" &&
    // Results come from anywhere: a link leads to this server alone.
    value.href.startsWith("/api/")
  );
}

/** Leads to a value that the server has left out. */
export function OmittedLink({ value: { href, omitted_bytes } }: { value: OmittedValue }) {
  return (
    <a href={href} target="_blank" rel="noreferrer">
      Open the large value ({formatBytes(omitted_bytes)})
    </a>
  );
}

export function LongText({ value, label }: { value: unknown; label: string }) {
  const [isWhole, setWhole] = useState(false);
  const text = asText(value);
  const isLong = text.length > LIMIT;
  const omitted = omittedIn(value);
  return (
    <div className="long-text">
      {/* Focusable, since it scrolls and must be usable with the keyboard. */}
      <pre tabIndex={0} role="region" aria-label={label}>
        <bdi>{isWhole ? text : cut(text)}</bdi>
        {isLong && !isWhole && " …"}
      </pre>
      <div className="long-text-actions">
        {isLong && (
          <button
            type="button"
            className="button-quiet"
            onClick={() => {
              setWhole(!isWhole);
            }}
          >
            {isWhole ? "Show less" : `Show all (${formatSize(text.length)})`}
          </button>
        )}
        <CopyButton text={text} what={label} />
        {omitted.slice(0, LINKS).map(({ href, omitted_bytes }, index) => (
          <OmittedLink key={index} value={{ href, omitted_bytes }} />
        ))}
        {omitted.length > LINKS && (
          <span className="muted">and {omitted.length - LINKS} more, at the addresses above</span>
        )}
      </div>
    </div>
  );
}
