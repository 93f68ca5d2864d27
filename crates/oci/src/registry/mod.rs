//! A client of registries (distribution-spec 1.1).
//!
//! A [`Client`] has connections and credentials, and its [`Repository`] sends single requests. [`RegistryImage`] reads
//! an image, [`push()`] publishes one, [`attach`] attaches artifacts, and [`observe()`] and [`take_inventory`] collect
//! what [`rules::served`](crate::rules::served) and [`rules::audit`](crate::rules::audit) need. Only this module uses the
//! network.
//!
//! [`Transport`] is the HTTP below it, for the other services of a release.
//!
//! Temporary failures are retried up to five times; a final failure has a help for its cause. HTTPS is used for all
//! registries except those on this machine. [`Network`] says how hosts are reached.

mod auth;
mod authorities;
mod challenge;
mod client;
mod credentials;
mod image;
mod inventory;
pub mod location;
mod no_proxy;
mod observe;
mod progress;
mod push;
mod referrers;
mod remedy;
mod secret;
mod session;
mod tags;
mod token;
mod transport;
mod tries;
mod upload;

#[cfg(test)]
mod fake;

pub use authorities::Authorities;
pub use client::{Client, Head, RemoteDocument, Repository};
pub use credentials::{
    Anonymous, Credentials, DockerConfig, Keychain, Lookup, helper_answer, helper_question,
};
pub use image::RegistryImage;
pub use inventory::take_inventory;
pub use no_proxy::NoProxy;
pub use observe::{Pushed, observe};
pub use progress::{Progress, Silent};
pub use push::{Begun, Overwrite, Published, PushOptions, TagRefused, Trust, begin, push};
pub use referrers::{attach, fetch_artifact, referrers};
pub use secret::Secret;
pub use session::is_no_answer;
pub use transport::{Answer, Network, Request, RequestBody, Transport};
pub use upload::Stored;
pub use ureq::http::Method;
