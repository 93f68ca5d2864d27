//! The NoETL server as a library: the HTTP API over a store of playbooks and executions, and the web page.
//!
//! Requests pass the gate (`access`), reach a handler (`api`), and that asks the executions (`runs`) or the
//! `store`. Nothing below knows of HTTP, and the store knows of nothing above it. The library reads no
//! environment and prints nothing; `noetl server start` turns flags and environment into a [`Config`] and
//! hands it to [`Server::bind`].

mod access;
mod api;
mod clock;
mod runs;
mod serve;
mod start;
mod store;
mod ui;
mod vault;

pub use serve::{BindError, Config, DEFAULT_PORT, Server};
pub use start::{Keeping, StartError};
pub use store::{Storage, StoreError};
pub use ui::UiSource;
pub use vault::{VaultError, new_secret, secret_file};
