//! `noetl k8s` with the real kubectl, against a stand-in for a cluster.

mod deploy;
mod render;
mod standin;
