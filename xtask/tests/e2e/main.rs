//! What is shipped, looked at from outside: by tools that others wrote, on the machines it is for.
//!
//! `cargo xtask test` prepares a dist and names it in NOETL_TEST_DIST; without it these tests say
//! that they were left out.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and these look at xtask from outside"
)]

mod commands;
mod documents;
mod downloads;
mod engine;
mod fixture;
mod image;
mod multiarch;
mod programs;
mod registry;
mod registry_auth;
mod registry_push;
mod registry_rules;
mod setup;
mod shards;
mod smoke;
mod support;
mod workflows;
