//! Publishing a release: steps that are data, each made of items that can be observed, applied and undone.
//!
//! [`steps`] lists the steps of a verified dist, and [`plan`] their changes. [`execute`] brings one item after the other to its published state:
//! it observes, changes only what is missing, and observes again, so that a second run goes on where the first one
//! ended. Every change goes through [`remotes::Remotes`], which compares it with the plan before it is sent and writes
//! it to the transcript. Besides the registries of images, this module is the only one that uses the network.

pub(crate) mod channels;
pub(crate) mod endpoints;
pub(crate) mod execute;
pub(crate) mod http;
pub(crate) mod inputs;
pub(crate) mod items;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod oidc;
pub(crate) mod plan;
pub(crate) mod remotes;
pub(crate) mod request;
pub(crate) mod standins;
pub(crate) mod step;
pub(crate) mod steps;
