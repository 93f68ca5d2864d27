//! Kubernetes manifests as text with places: what runs in them, under which image, and whether a
//! node could run it. Pure: nothing here reads a file, asks a registry or talks to a cluster.

pub(crate) mod config;
pub(crate) mod facts;
pub(crate) mod finding;
pub(crate) mod nodes;
pub(crate) mod replace;
pub(crate) mod root;
pub(crate) mod schedulable;
pub(crate) mod validator;
pub(crate) mod wiring;
pub(crate) mod workload;
