//! End-to-end tests of the released files, with independent tools and on the platforms they are for.
//!
//! `cargo xtask test` prepares a dist and sets NOETL_TEST_DIST to its folder. Without it the tests that need a dist
//! are noted as not run.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and these look at xtask from outside"
)]

mod assembly;
mod bases;
mod bench;
mod bootstrap;
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
mod floors;
mod foreign;
mod fork;
mod image;
mod installers;
mod k8s;
#[cfg(target_os = "linux")]
mod memory;
mod multiarch;
#[cfg(unix)]
mod packages;
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
mod registry_site;
#[cfg(unix)]
mod registry_tokens;
#[cfg(target_os = "linux")]
mod release;
mod repositories;
mod resolve;
mod rules;
mod shards;
mod smoke;
#[expect(dead_code, reason = "the tests of noetl use all of it")]
#[path = "../../../crates/noetlctl/tests/it/k8s/standin/mod.rs"]
mod standin;
mod support;
mod system_packages;
mod workflows;
