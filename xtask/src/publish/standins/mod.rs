//! Stand-ins of every service that a release is published to, on loopback: for rehearsals, and for the matrix of faults.
//!
//! They keep to the public descriptions of the services as far as a release uses them, refuse what the services refuse
//! (a version that exists, a file that exists, a branch that would lose commits), and count what is changed. Registries
//! that others wrote can take their places.

mod faults;
mod git;
mod github;
mod packages;
mod registry;
pub(crate) mod server;
mod world;

pub(crate) use faults::{Armed, Fault};
pub(crate) use world::{Published, World};
