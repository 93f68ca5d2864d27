// Text from playbooks and payloads, however long and in whatever script: shown as text, cut where it
// would drown the page, isolated so that right-to-left marks do not turn what stands beside it.
import { useState } from "react";
import { CopyButton } from "./CopyButton";
import { formatSize } from "./format";

const LIMIT = 4000;

/** The head of a text, cut at a whole character. */
export function cut(text: string, limit = LIMIT): string {
  if (text.length <= limit) return text;
  const head = text.slice(0, limit);
  return /[\uD800-\uDBFF]$/.test(head) ? head.slice(0, -1) : head;
}

/** A value as indented JSON; text that is a text is left as it is. */
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
      {/* Scrolls by itself, so it must be reachable by keyboard. */}
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
