//! The NoETL server as a library: what it listens on, what it answers, how it stops.
//!
//! It reads no environment and prints nothing; `noetl server start` turns flags and
//! environment into a [`Config`] and hands it to [`Server::bind`].

mod api;
mod serve;
mod ui;

pub use serve::{BindError, Config, DEFAULT_PORT, Server};
pub use ui::UiSource;
