//! `noetl k8s`: renders NoETL's objects for Kubernetes, and brings them into a cluster through kubectl.

mod chart;
mod deploy;
mod explain;
mod image;
mod kubectl;
mod objects;
mod remove;
mod status;
mod syntax;
mod values;

use std::process::ExitCode;

use crate::cli::k8s::{Format, K8sCommand, RedeployArgs, RenderArgs};
use crate::output;

pub(crate) fn run(command: &K8sCommand) -> anyhow::Result<ExitCode> {
    match command {
        K8sCommand::Render(args) => render(args),
        K8sCommand::Deploy(args) => deploy::run(args, deploy::Mode::Deploy),
        K8sCommand::Redeploy(args) => {
            note_old_flags(args);
            deploy::run(&args.deploy, deploy::Mode::Redeploy)
        }
        K8sCommand::Status(args) => status::run(args),
        K8sCommand::Remove(args) => remove::run(args),
        K8sCommand::Reset(args) => {
            note_old_flags(args);
            deploy::run(&args.deploy, deploy::Mode::Reset)
        }
    }
}

fn render(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    if args.print_values {
        output::text(values::DEFAULTS)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settled = values::settle(&args.values)?;
    warn(&settled);
    let objects = objects::render(&settled)?;
    match args.output {
        Format::Yaml => output::text(&objects::stream(&objects)?)?,
        Format::Helm => {
            let chart = chart::files(&settled, &objects)?;
            chart::write(&args.chart, &chart)?;
            output::text(&args.chart.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn warn(settled: &values::Settled) {
    settled
        .warnings()
        .for_each(|warning| note!("warning: {warning}"));
}

fn note_old_flags(args: &RedeployArgs) {
    if args.no_cache {
        note!("note: --no-cache changes nothing: this command makes no image, `noetl build` does");
    }
    if let Some(platform) = &args.platform {
        note!(
            "note: --platform {platform} changes nothing: each node takes its own part of the image"
        );
    }
}
