//! The kinds of tools: those that NoETL has, and those of older playbooks that it does not have.

use serde::{Deserialize, Serialize};

/// The tool of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolKind {
    /// Nothing; its result is its args.
    Noop,
    /// A script for the system's shell.
    Shell,
    /// An HTTP request.
    Http,
    /// Python code in a process of its own.
    Python,
    /// Another playbook.
    Playbook,
    /// SQL for a PostgreSQL server.
    Postgres,
    /// SQL for an SQLite file.
    Sqlite,
    /// SQL for DuckDB, through its command or Python module.
    Duckdb,
    /// Saves a value to a file or table.
    Sink,
    /// Copies rows between databases, URLs and files.
    Transfer,
    /// Reads a value from the credential store.
    Secrets,
}

/// What to write in place of kinds that NoETL does not have.
const INSTEAD: [(&str, &str); 7] = [
    ("iterator", "write `loop:` on the step"),
    ("playbooks", "write one `playbook` step in a loop"),
    ("rhai", "write the step in python or shell"),
    (
        "ducklake",
        "write the step with the duckdb tool, whose SQL can attach DuckLake catalogs",
    ),
    (
        "snowflake",
        "write a python step with the Snowflake connector",
    ),
    ("gcs", "write a shell step that calls gcloud storage"),
    (
        "script",
        "write a python or shell step with `script: {uri: FILE}`",
    ),
];

impl ToolKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Noop,
        Self::Shell,
        Self::Http,
        Self::Python,
        Self::Playbook,
        Self::Postgres,
        Self::Sqlite,
        Self::Duckdb,
        Self::Sink,
        Self::Transfer,
        Self::Secrets,
    ];

    /// Further names of some kinds.
    pub(crate) const OTHER_NAMES: [&str; 6] =
        ["postgresql", "bash", "secret", "event_log", "event", "log"];

    /// Returns the name in playbooks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Shell => "shell",
            Self::Http => "http",
            Self::Python => "python",
            Self::Playbook => "playbook",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Duckdb => "duckdb",
            Self::Sink => "sink",
            Self::Transfer => "transfer",
            Self::Secrets => "secrets",
        }
    }

    /// Returns the kind called `name`; some have several names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "postgresql" => "postgres",
            "bash" => "shell",
            "secret" => "secrets",
            // Every step is recorded in the event log in any case.
            "event_log" | "event" | "log" => "noop",
            name => name,
        };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns what to write in place of a kind that NoETL does not have.
    pub(crate) fn instead_of(name: &str) -> Option<&'static str> {
        let found = INSTEAD.iter().find(|(known, _)| *known == name);
        found.map(|(_, instead)| *instead)
    }
}
