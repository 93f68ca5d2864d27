//! The store: everything that the server keeps, in SQLite or PostgreSQL with the same schema.
//!
//! SQLite has one writing connection and a pool of readers on one file in WAL mode; PostgreSQL has one
//! pool. The statements are the same text for both.

mod catalog;
mod commands;
mod conditions;
mod contents;
mod credentials;
mod database;
mod error;
mod events;
mod execution_list;
mod executions;
mod expiry;
mod ids;
mod logs;
mod migrate;
mod row;
mod runtimes;
mod sessions;
mod statistics;
mod storage;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub(crate) use catalog::{CatalogEntry, CatalogFilter};
pub(crate) use commands::{CommandRow, Due, Holder, LEASE_MS, MOST_LOSSES};
pub(crate) use contents::{
    Column, Extracted, PLACEHOLDER, Reference, references, splice, to_column,
};
pub(crate) use credentials::CredentialRow;
pub(crate) use database::{Store, TABLES};
pub use error::{Cause, StoreError};
pub(crate) use events::EventRow;
pub(crate) use execution_list::ExecutionFilter;
pub(crate) use executions::{ExecutionRow, Progress};
pub(crate) use ids::Ids;
pub(crate) use logs::{LogFilter, LogPosition};
pub(crate) use runtimes::{RuntimeRow, ServerRow};
pub(crate) use statistics::{Bucket, SlowStep};
pub use storage::Storage;
pub(crate) use write::Write;
