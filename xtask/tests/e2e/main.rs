//! What is shipped, looked at from outside: by tools that others wrote, on the machines it is for.
//!
//! `cargo xtask test` prepares a dist and names it in NOETL_TEST_DIST; without it these tests say
//! that they were left out.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and these look at xtask from outside"
)]

mod assembly;
mod bases;
mod buildx;
mod checkouts;
mod commands;
mod confined;
mod documents;
mod downloads;
mod engine;
mod evidence;
mod explain;
mod fixture;
mod foreign;
mod image;
mod k8s;
#[cfg(target_os = "linux")]
mod memory;
mod multiarch;
#[cfg(unix)]
mod pasted;
mod programs;
mod rebuild;
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
mod resolve;
mod rules;
mod setup;
mod shards;
mod smoke;
#[expect(dead_code, reason = "the tests of noetl use all of it")]
#[path = "../../../crates/noetlctl/tests/it/k8s/standin/mod.rs"]
mod standin;
mod support;
mod workflows;
