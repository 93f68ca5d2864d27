//! The kinds of tools, those that run here and those that people may meet in older playbooks.

use serde::{Deserialize, Serialize};

/// What a task does.
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

/// Kinds of older playbooks that need something which is not part of NoETL, and what that is.
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

    /// The name in playbooks.
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

    /// The kind called `name`, some of which have had other names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "postgresql" => "postgres",
            "bash" => "shell",
            "secret" => "secrets",
            // Every step is in the event log anyway.
            "event_log" | "event" | "log" => "noop",
            name => name,
        };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a kind that does not run here would need.
    pub(crate) fn unsupported(name: &str) -> Option<&'static str> {
        UNSUPPORTED
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, need)| *need)
    }
}
