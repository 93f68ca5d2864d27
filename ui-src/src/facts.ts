// The build stamp as labelled lines for people. Asks nobody and draws nothing.
import type { BuildStamp } from "./api";

export interface Fact {
  label: string;
  value: string;
  /** The whole value, where `value` is cut short. */
  full?: string;
}

const SHORT_LENGTH = 12;

/** What the start page shows: enough to tell one server from another. */
export function shortFacts(stamp: BuildStamp): Fact[] {
  return [
    { label: "Version", value: stamp.version },
    shortened("Commit", stamp.commit, "unknown"),
    { label: "Target", value: stamp.target },
    { label: "Compiler", value: stamp.rustc || "unknown" },
    shortened("Page hash", stamp.ui_sha256 ?? "", "no page in the binary"),
  ];
}

/** The whole stamp, each value in full. */
export function allFacts(stamp: BuildStamp): Fact[] {
  return [
    { label: "Name", value: stamp.name },
    { label: "Version", value: stamp.version },
    { label: "Commit", value: stamp.commit || "unknown" },
    { label: "Target", value: stamp.target },
    { label: "Target features", value: stamp.target_features.split(",").join(", ") || "none" },
    { label: "Compiler", value: stamp.rustc || "unknown" },
    { label: "Page in the binary", value: stamp.ui_embedded ? "yes" : "no" },
    { label: "Page SHA-256", value: stamp.ui_sha256 ?? "none" },
    { label: "Default port", value: String(stamp.default_port) },
    { label: "Stamp schema", value: String(stamp.schema) },
  ];
}

/** A hash by its first digits; what git appends to it, such as `-dirty`, stays readable. */
function shortened(label: string, full: string, absent: string): Fact {
  const [, digits, rest] = /^([0-9a-f]+)(.*)$/.exec(full) ?? [];
  if (digits === undefined || digits.length <= SHORT_LENGTH) return { label, value: full || absent };
  return { label, value: digits.slice(0, SHORT_LENGTH) + (rest ?? ""), full };
}
