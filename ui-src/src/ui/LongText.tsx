// Text of playbooks and payloads, of any length and script: shown as text, cut when it is long, and isolated so that
// bidirectional control characters do not affect the text around it.
import { useState } from "react";
import { CopyButton } from "./CopyButton";
import { formatSize } from "./format";

const LIMIT = 4000;

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

export function LongText({ value, label }: { value: unknown; label: string }) {
  const [isWhole, setWhole] = useState(false);
  const text = asText(value);
  const isLong = text.length > LIMIT;
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
      </div>
    </div>
  );
}
