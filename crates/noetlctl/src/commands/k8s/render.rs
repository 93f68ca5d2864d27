//! `noetl k8s render`: prints the manifests, or writes them as a Helm chart.

use std::process::ExitCode;

use super::objects::{self, Object};
use super::values::{self, CheckedValues};
use super::{chart, image};
use crate::cli::k8s::{Format, RenderArgs, ValuesArgs};
use crate::output;

pub(super) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    if args.print_values {
        output::text(values::file::DEFAULTS)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (values, objects) = objects(&args.values)?;
    match args.output {
        Format::Yaml => output::text(&objects::to_yaml(&objects)?)?,
        Format::Helm => {
            let files = chart::files(&values, &objects)?;
            chart::write(&args.chart, &files)?;
            output::text(&args.chart.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the values, renders the objects, and warns about images that are not pinned.
pub(super) fn objects(args: &ValuesArgs) -> anyhow::Result<(CheckedValues, Vec<Object>)> {
    let values = values::read(args)?;
    for image in [&values.image, &values.python_image] {
        if let Some(warning) = image::warning(image) {
            note!("warning: {warning}");
        }
    }
    let objects = objects::render(&values)?;
    Ok((values, objects))
}
