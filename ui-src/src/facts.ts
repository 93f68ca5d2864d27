// Formats the build stamp as labelled lines. Pure.
import type { BuildStamp, ServerInfo } from "./api/schema";
import { formatDateTime, formatDuration } from "./ui/format";

export interface Fact {
  label: string;
  value: string;
}

/** Returns the facts about the running server. */
export function serverFacts(server: ServerInfo): Fact[] {
  const lines: [string, string][] = [
    ["Name", server.server_name],
    ["Version", server.version],
    ["Storage", server.storage],
    ["Data directory", server.data_dir],
    ["Started", formatDateTime(server.started_at)],
    ["Runs for", formatDuration(server.uptime_seconds)],
    ["Running executions", String(server.running_executions)],
    ["Pending executions", String(server.pending_executions)],
    ["Sign-in", server.auth],
  ];
  return lines.flatMap(([label, value]) => (value === "" ? [] : [{ label, value }]));
}

/** Returns all facts of the stamp, with complete values. */
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
