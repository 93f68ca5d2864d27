//! The values that manifests are rendered from: defaults, a values file and flags, each overriding the one
//! before.

pub(super) mod check;
pub(super) mod file;
mod scalar;
pub(super) mod schema;
mod syntax;

use std::fs;

use anyhow::Context as _;
use noetl_help::Help as _;
use noetl_oci::ImageName;

use self::schema::Values;
use super::image;
use crate::cli::k8s::ValuesArgs;

/// Values that have been checked, with the names of both images.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CheckedValues {
    pub(super) values: Values,
    pub(super) image: ImageName,
    pub(super) python_image: ImageName,
}

/// Reads and checks the values that the flags ask for.
///
/// # Errors
/// Fails when the values file cannot be read, and when a value or the name of an image is invalid.
pub(super) fn read(args: &ValuesArgs) -> anyhow::Result<CheckedValues> {
    let mut values = match &args.values {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))
                .help("`noetl k8s render --print-values` prints one to start from")?;
            file::parse(&text)
                .with_context(|| format!("{} is not a valid values file", path.display()))
                .help("`noetl k8s render --print-values` prints every key with its default")?
        }
        None => file::parse("")?,
    };
    apply_flags(&mut values, args);
    check::check(&values)?;
    let image = match &values.image {
        Some(name) => image::parse(name)?,
        None => image::released()?,
    };
    let python_image = match &values.python_image {
        Some(name) => image::parse(name)?,
        None => image::with_python(&image)?,
    };
    Ok(CheckedValues {
        values,
        image,
        python_image,
    })
}

fn apply_flags(values: &mut Values, args: &ValuesArgs) {
    if let Some(image) = &args.image {
        values.image = Some(image.clone());
        // The file's Python image belongs to the file's image.
        values.python_image = None;
    }
    if let Some(image) = &args.python_image {
        values.python_image = Some(image.clone());
    }
    if let Some(namespace) = &args.namespace {
        values.namespace.clone_from(namespace);
    }
    if let Some(replicas) = args.replicas {
        values.server.replicas = replicas;
    }
    if let Some(workers) = args.workers {
        values.worker.replicas = workers;
    }
    if let Some(port) = args.node_port {
        values.node_port = Some(port);
    }
    if let Some(secret) = &args.database_secret {
        let (name, key) = match secret.split_once('/') {
            Some((name, key)) => (name, Some(key)),
            None => (secret.as_str(), None),
        };
        values.database.secret = Some(name.to_owned());
        if let Some(key) = key {
            key.clone_into(&mut values.database.key);
        }
    }
}
