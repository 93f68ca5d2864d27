//! The NoETL server as a library: the HTTP API over a store of playbooks and executions, and the web page.
//!
//! The library reads no environment and prints nothing; `noetl server start` turns flags and environment
//! into a [`Config`] and hands it to [`Server::bind`]. The modules, each built on those above it:
//!
//! - `clock`: times in the store and in answers;
//! - `vault`: the encryption key, the token, and the files that they are kept in;
//! - `store`: everything the server knows, in SQLite or PostgreSQL;
//! - `credentials`: credentials, encrypted in the store;
//! - `sql`: SQL that a request runs;
//! - [`worker`]: the loop of a worker, here and in `noetl worker start`;
//! - `changes`: what happens to executions, told to those who follow them;
//! - `executions`: starting, changing and ending executions;
//! - `local_worker`: the server's own worker;
//! - `error`: an answer that is an error;
//! - `access`: who may use the API;
//! - `api`: the routes and their handlers;
//! - `ui`: the web page;
//! - `start`: from a configuration to a server that is ready;
//! - `serve`: the listener, and the server's end.

mod access;
mod api;
mod changes;
mod clock;
mod credentials;
mod error;
mod executions;
mod local_worker;
mod serve;
mod sql;
mod start;
mod store;
mod ui;
mod vault;
pub mod worker;

pub use api::openapi;
pub use serve::{BindError, Config, DEFAULT_PORT, Server};
pub use start::{Keeping, StartError};
pub use store::{Storage, StoreError};
pub use ui::UiSource;
pub use vault::{VaultError, new_secret, secret_file};
