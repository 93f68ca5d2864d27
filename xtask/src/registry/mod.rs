//! Registries: pushing a layout and fetching one over the distribution API. Network code lives here alone.

mod client;
pub(crate) mod peek;
pub(crate) mod pull;
pub(crate) mod push;
