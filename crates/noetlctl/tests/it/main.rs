//! Tests of the real `noetl` binary, as one program so that they link once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cli;
mod server;
mod support;
