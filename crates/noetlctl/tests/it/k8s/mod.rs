//! `noetl k8s` with the real kubectl and a fake cluster.

mod deploy;
mod render;
mod standin;
