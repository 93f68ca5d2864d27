// Copies a text and shows whether that worked: browsers refuse it for pages that were loaded by plain HTTP.
import { useState } from "react";
import { Icon } from "./Icon";

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [outcome, setOutcome] = useState("");
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("Copied");
    } catch {
      setOutcome("The browser does not let this page copy");
    }
  }
  return (
    <span className="copy">
      <button
        type="button"
        className="button-quiet button-icon"
        aria-label={`Copy ${what}`}
        title={`Copy ${what}`}
        onClick={() => void copy()}
      >
        <Icon name={outcome === "Copied" ? "check" : "copy"} />
      </button>
      <span role="status" className={outcome === "Copied" ? "visually-hidden" : "copy-outcome"}>
        {outcome}
      </span>
    </span>
  );
}
