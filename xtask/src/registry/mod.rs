//! Registries: names, and pushing a layout over the distribution API. Network code lives here alone.

mod client;
pub(crate) mod push;
pub(crate) mod reference;
