//! How a container of the image starts (image-spec, config.md), alone or on top of a base.

use std::collections::BTreeMap;

use noetl_oci::{BaseImage, RunConfig};
use serde_json::json;

use crate::image::contents;
use crate::image::plan::ImagePlan;

/// Where programs are looked for without a base.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Returns the run config. Of a base the variables stay; its labels, health checks and volumes are about another program.
pub(super) fn run_config(plan: &ImagePlan, base: Option<&BaseImage>, packages: bool) -> RunConfig {
    RunConfig {
        user: Some(format!("{0}:{0}", contents::USER)),
        exposed_ports: Some(BTreeMap::from([(format!("{}/tcp", plan.port), json!({}))])),
        env: Some(env(base, packages)),
        entrypoint: Some(vec![contents::ENTRYPOINT.to_owned()]),
        cmd: Some(vec!["server".to_owned(), "start".to_owned()]),
        working_dir: Some(contents::HOME.to_owned()),
        labels: Some(plan.labels.clone()),
        stop_signal: Some("SIGTERM".to_owned()),
        ..RunConfig::default()
    }
}

/// Returns the base's variables in its order, with the image's own in place of those of the same name. Of lists of
/// folders the base's come first, and all stay.
fn env(base: Option<&BaseImage>, packages: bool) -> Vec<String> {
    let of_base = base.and_then(|base| base.config.config.as_ref()?.env.clone());
    let mut variables: Vec<(String, String)> = Vec::new();
    for variable in of_base.unwrap_or_default() {
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        set(&mut variables, name, value);
    }
    set(&mut variables, "HOME", contents::HOME);
    // A container is reached from outside.
    set(&mut variables, "NOETL_HOST", "0.0.0.0");
    append(&mut variables, "PATH", PATH);
    if packages {
        append(&mut variables, "PYTHONPATH", contents::PACKAGES);
    }
    if !variables.iter().any(|(name, _)| name == "SSL_CERT_FILE") {
        set(&mut variables, "SSL_CERT_FILE", contents::CA_BUNDLE);
    }
    let joined = variables
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"));
    joined.collect()
}

fn set(variables: &mut Vec<(String, String)>, name: &str, value: &str) {
    match variables.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => value.clone_into(known),
        None => variables.push((name.to_owned(), value.to_owned())),
    }
}

fn append(variables: &mut Vec<(String, String)>, name: &str, folders: &str) {
    let known = variables.iter().find(|(known, _)| known == name);
    let mut all: Vec<String> = known
        .map(|(_, value)| {
            value
                .split(':')
                .filter(|folder| !folder.is_empty())
                .map(ToOwned::to_owned)
                .collect()
        })
        .unwrap_or_default();
    for folder in folders.split(':') {
        if !all.iter().any(|known| known == folder) {
            all.push(folder.to_owned());
        }
    }
    set(variables, name, &all.join(":"));
}
