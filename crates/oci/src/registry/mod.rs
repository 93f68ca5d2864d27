//! Registries: the distribution API (distribution-spec 1.1), from one request to a whole push.
//!
//! [`Client`] holds connections and credentials, [`Repository`] the requests on one repository,
//! [`RegistryImage`] is an image as a source, [`push()`] publishes one, [`attach`] adds artifacts to it, and
//! [`observe()`] and [`take_inventory`] gather what rules judge. This is the only module that uses the network.

mod auth;
mod challenge;
mod client;
mod credentials;
mod image;
mod inventory;
mod location;
mod observe;
mod progress;
mod push;
mod referrers;
mod secret;
mod session;
mod tags;
mod token;
mod transport;
mod upload;

#[cfg(test)]
mod fake;

pub use client::{Client, Head, RemoteDocument, Repository};
pub use credentials::{
    Anonymous, Credentials, DockerConfig, Keychain, Lookup, helper_answer, helper_question,
};
pub use image::RegistryImage;
pub use inventory::take_inventory;
pub use observe::{Pushed, observe};
pub use progress::{Progress, Silent};
pub use push::{Overwrite, Published, PushOptions, TagRefused, Trust, push};
pub use referrers::{attach, fetch_artifact, referrers};
pub use secret::Secret;
pub use session::is_no_answer;
pub use upload::Stored;
