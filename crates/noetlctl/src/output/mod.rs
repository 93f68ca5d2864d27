//! What commands print on standard output: one JSON document, or text and tables for people.
//!
//! On a terminal, tables have borders, fit its width and show statuses in colour; elsewhere they are
//! plain columns. Control characters in a server's text never reach the terminal.

mod control;
mod format;
pub(crate) mod problems;
mod screen;
mod stdout;
mod table;

pub(crate) use control::plain;
pub(crate) use format::{cell, duration, sanitize, time, value};
pub(crate) use screen::Screen;
#[cfg(test)]
pub(crate) use screen::{Colour, Width};
pub(crate) use stdout::{bytes, document, ignore_broken_pipe, is_broken_pipe, json, text};
pub(crate) use table::Table;
