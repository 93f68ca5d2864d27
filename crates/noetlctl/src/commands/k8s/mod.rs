//! `noetl k8s`: renders the Kubernetes objects of NoETL, and applies them to a cluster with kubectl.

mod chart;
mod context;
mod deploy;
mod diagnosis;
mod image;
mod kubectl;
mod objects;
mod remove;
mod render;
mod resources;
mod status;
mod values;

use std::process::ExitCode;

use crate::cli::k8s::K8sCommand;

pub(super) fn run(command: &K8sCommand) -> anyhow::Result<ExitCode> {
    match command {
        K8sCommand::Render(args) => render::run(args),
        K8sCommand::Deploy(args) => deploy::run(args, deploy::Mode::Deploy),
        K8sCommand::Redeploy(args) => deploy::run_again(args, deploy::Mode::Redeploy),
        K8sCommand::Status(args) => status::run(args),
        K8sCommand::Remove(args) => remove::run(args),
        K8sCommand::Reset(args) => deploy::run_again(args, deploy::Mode::Reset),
    }
}
