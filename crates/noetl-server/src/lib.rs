//! The NoETL server as a library: the HTTP API over a store of playbooks and executions, and the web page.
//!
//! The library reads no environment and prints nothing; `noetl server start` turns flags and environment
//! into a [`Config`] and hands it to [`Server::bind`]. The modules, each built on those above it:
//!
//! - `clock`: times in the store and in answers;
//! - `vault`: encryption, the encryption key and the token;
//! - `store`: playbooks, executions, events, commands and credentials in SQLite or PostgreSQL;
//! - `credentials`: credentials, which are encrypted in the store;
//! - `sql`: SQL that requests run;
//! - [`worker`]: the loop of a worker, for this server and for `noetl worker start`;
//! - `changes`: notifications of changes of executions;
//! - `executions`: starting, changing and ending executions;
//! - `local_worker`: the server's own worker;
//! - `readiness`: whether the store can be written to;
//! - `error`: the answer to a request that fails;
//! - `sessions`: callers with the token, and sessions of web pages;
//! - `access`: which requests may use the API;
//! - `api`: the routes, their handlers and the OpenAPI document;
//! - `ui`: the web page;
//! - `connections`: the server's connections, their limits and timeouts;
//! - `start`: preparing a server;
//! - `serve`: the server, its listener and its stop.

mod access;
mod api;
mod changes;
mod clock;
mod connections;
mod credentials;
mod error;
mod executions;
mod local_worker;
mod readiness;
mod serve;
mod sessions;
mod sql;
mod start;
mod store;
mod ui;
mod vault;
pub mod worker;

pub use api::OPENAPI;
#[cfg(feature = "openapi")]
pub use api::generate as generate_openapi;
pub use serve::{BindError, DEFAULT_PORT, Server};
pub use start::{Config, StartError, StoreConfig};
pub use store::{Cause, Storage, StoreError};
pub use ui::UiSource;
pub use vault::{VaultError, new_secret, secret_file};
