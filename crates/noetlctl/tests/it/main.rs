//! Tests of the real `noetl` binary, in one program so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test fails with a panic")]

mod calls;
mod catalog;
mod checklist;
mod cli;
mod conformance;
mod connection;
mod context;
mod data;
mod env_files;
mod examples;
mod execution;
mod fake;
mod k8s;
mod live;
mod machine;
#[cfg(unix)]
mod own;
mod postgres;
mod server;
mod server_access;
mod server_connections;
mod server_disk;
mod server_events;
mod server_kills;
mod server_logs;
mod server_refusals;
mod server_requests;
mod server_restart;
mod server_results;
mod server_retry;
mod server_runs;
mod server_schema;
mod server_secrets;
mod server_start;
mod server_streams;
mod server_workers;
mod soak;
mod support;
mod terminal;
