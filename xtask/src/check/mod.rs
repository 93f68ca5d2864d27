//! Findings and how they are told. The rules stand in [`rules`]; what they look at, in the modules beside it.
//!
//! A check never stops at the first finding, and it judges bytes only: nothing here runs a program,
//! asks a registry or trusts what an earlier stage remembers.

pub(crate) mod archive;
pub(crate) mod audit;
mod certificates;
mod config;
mod elf;
mod entrypoint;
pub(crate) mod expect;
mod filesystem;
mod findings;
pub(crate) mod image;
mod labels;
mod layers;
pub(crate) mod mutants;

mod names;
mod platform;
mod program;
pub(crate) mod registry;
mod rootfs;
pub(crate) mod rules;
mod secrets;
mod structure;
mod tarfile;
mod walk;

pub(crate) use findings::Findings;
