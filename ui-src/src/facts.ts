// The build stamp as labelled lines for people. Asks nobody and draws nothing.
import type { BuildStamp, ServerFacts } from "./api/server";
import { formatDateTime, formatDuration } from "./ui/format";

export interface Fact {
  label: string;
  value: string;
}

/** How the server runs: only what it says. */
export function serverFacts(server: ServerFacts): Fact[] {
  const lines: [string, string | undefined][] = [
    ["Name", server.server_name],
    ["Version", server.version],
    ["Storage", server.storage],
    ["Data directory", server.data_dir],
    ["Started", server.started_at === undefined ? undefined : formatDateTime(server.started_at)],
    ["Runs for", server.uptime_seconds === undefined ? undefined : formatDuration(server.uptime_seconds)],
    ["Running executions", server.running_executions?.toString()],
    ["Waiting commands", server.pending_commands?.toString()],
    ["Sign-in", server.auth],
  ];
  return lines.flatMap(([label, value]) => (value === undefined || value === "" ? [] : [{ label, value }]));
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
