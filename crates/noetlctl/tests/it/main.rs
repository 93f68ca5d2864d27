//! Tests of the real `noetl` binary, as one program so that they link once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod catalog;
mod cli;
mod connection;
mod context;
mod data;
mod env_files;
mod examples;
mod execution;
mod fake;
mod machine;
mod server;
mod support;
