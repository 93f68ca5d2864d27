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
    /// Reads a value from the credential store.
    Secrets,
}

/// Kinds of older playbooks that are not part of NoETL, with what they need.
const UNSUPPORTED: [(&str, &str); 14] = [
    ("artifact", "a result store for artifacts"),
    ("auth", "Google's sign-in tools"),
    ("container", "a Kubernetes job runner"),
    ("ducklake", "a DuckLake catalog"),
    ("gateway", "the NoETL gateway"),
    ("gcs", "Google Cloud Storage"),
    (
        "iterator",
        "the loops of noetl.io/v1; write `loop:` on the step",
    ),
    ("nats", "a NATS server"),
    (
        "playbooks",
        "catalog-wide runs; write one `playbook` step in a loop",
    ),
    (
        "rhai",
        "the Rhai language; write the step in python or shell",
    ),
    ("script", "a Kubernetes job runner"),
    ("snowflake", "the Snowflake service"),
    ("snowflake_transfer", "the Snowflake service"),
    (
        "transfer",
        "the transfer service; write a read step and a `sink` step",
    ),
];

impl ToolKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Noop,
        Self::Shell,
        Self::Http,
        Self::Python,
        Self::Playbook,
        Self::Postgres,
        Self::Sqlite,
        Self::Duckdb,
        Self::Sink,
        Self::Secrets,
    ];

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

    /// Returns what a kind that NoETL does not have needs.
    pub(crate) fn unsupported(name: &str) -> Option<&'static str> {
        UNSUPPORTED
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, need)| *need)
    }
}
