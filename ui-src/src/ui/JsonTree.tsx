// A value as a tree whose branches open and close. Only open branches are in the document, and long lists are shown in
// parts, so that a large value costs no more than what is read of it.
import { useState } from "react";
import { cut, isOmitted, OmittedLink } from "./LongText";

/** How many entries of a branch are shown at a time. */
const PART = 100;
const TEXT_LIMIT = 400;
const PREVIEW_LIMIT = 60;

export function isBranch(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** The tree of a branch; other values have nothing to open. */
export function JsonTree({ value, label }: { value: object; label: string }) {
  return (
    // Focusable, since it scrolls.
    <div className="json-tree" role="group" aria-label={label} tabIndex={0}>
      <Entries value={value} />
    </div>
  );
}

function Entries({ value }: { value: object }) {
  const [shown, setShown] = useState(PART);
  const entries: [string, unknown][] = Object.entries(value);
  return (
    <ul>
      {entries.slice(0, shown).map(([name, entry]) => (
        <li key={name}>
          <Entry name={name} value={entry} />
        </li>
      ))}
      {entries.length > shown && (
        <li>
          <button
            type="button"
            className="button-link"
            onClick={() => {
              setShown(shown + PART);
            }}
          >
            {`${(entries.length - shown).toLocaleString("en")} more`}
          </button>
        </li>
      )}
    </ul>
  );
}

function Entry({ name, value }: { name: string; value: unknown }) {
  const [isOpen, setOpen] = useState(false);
  if (isBranch(value) && isOmitted(value)) {
    return (
      <>
        <Name name={name} />
        <OmittedLink value={value} />
      </>
    );
  }
  if (!isBranch(value)) {
    return (
      <>
        <Name name={name} />
        <span className="json-value" data-kind={value === null ? "null" : typeof value}>
          <bdi>{leafOf(value)}</bdi>
        </span>
      </>
    );
  }
  return (
    <>
      <button
        type="button"
        className="json-branch"
        aria-expanded={isOpen}
        onClick={() => {
          setOpen(!isOpen);
        }}
      >
        <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> <Name name={name} />
        <span className="muted">
          <bdi>{previewOf(value)}</bdi>
        </span>
      </button>
      {isOpen && <Entries value={value} />}
    </>
  );
}

function Name({ name }: { name: string }) {
  return (
    <span className="json-name">
      <bdi>{name}</bdi>:{" "}
    </span>
  );
}

function leafOf(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > TEXT_LIMIT ? `${cut(text, TEXT_LIMIT)}…` : text;
}

/** Returns the beginning of a branch's content in one line. */
function previewOf(value: object): string {
  if (Array.isArray(value)) return `[${value.length.toLocaleString("en")}]`;
  const names = Object.keys(value).slice(0, 6).join(", ");
  return `{${cut(names, PREVIEW_LIMIT)}${names.length > PREVIEW_LIMIT || Object.keys(value).length > 6 ? ", …" : ""}}`;
}
