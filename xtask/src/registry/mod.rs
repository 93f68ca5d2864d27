//! Registries: pushing a layout, fetching one and looking after a repository, over the distribution API.
//!
//! [`transport`] sends, [`auth`] signs in, [`session`] repeats, [`client`] and [`upload`] know the API; network code
//! lives here alone.

pub(crate) mod audit;
mod auth;
mod challenge;
mod client;
mod credentials;
#[cfg(test)]
mod fake;
mod location;
pub(crate) mod observe;
pub(crate) mod peek;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod referrers;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod tags;
mod token;
mod transport;
mod upload;
