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
#[cfg(unix)]
mod registry;
#[cfg(unix)]
mod registry_auth;
#[cfg(unix)]
mod registry_proxy;
#[cfg(unix)]
mod registry_push;
#[cfg(unix)]
mod registry_rules;
#[cfg(unix)]
mod registry_tokens;
mod setup;
mod shards;
mod smoke;
mod support;
mod workflows;
