// How the values of the build stamp are shown, also those of a plain `cargo build`.
import { expect, test } from "vitest";
import { allFacts, serverFacts } from "./facts";
import { STAMP } from "./testing";

const line = (facts: ReturnType<typeof allFacts>, label: string) =>
  facts.find((fact) => fact.label === label);

test("values that the build lacks are shown, and never blank", () => {
  const bare = { ...STAMP, commit: "", rustc: "", target_features: "", ui_sha256: null, ui_embedded: false };
  expect(line(allFacts(bare), "Commit")).toEqual({ label: "Commit", value: "unknown" });
  for (const { label, value } of allFacts(bare)) {
    expect(value, label).not.toBe("");
  }
});

test("every field of the stamp has a line", () => {
  expect(allFacts(STAMP)).toHaveLength(Object.keys(STAMP).length);
});

test("values of the server that are not empty have a line", () => {
  const facts = serverFacts({
    status: "ok",
    version: "0.1.0",
    server_name: "",
    storage: "sqlite",
    data_dir: "/data",
    started_at: "2026-11-23T12:00:00.000Z",
    uptime_seconds: 125,
    pending_executions: 0,
    running_executions: 2,
    pending_commands: 0,
    auth: "none",
  });
  expect(facts.filter(({ label }) => label !== "Started")).toEqual([
    { label: "Version", value: "0.1.0" },
    { label: "Storage", value: "sqlite" },
    { label: "Data directory", value: "/data" },
    { label: "Runs for", value: "2 min 5 s" },
    { label: "Running executions", value: "2" },
    { label: "Pending executions", value: "0" },
    { label: "Sign-in", value: "none" },
  ]);
});
