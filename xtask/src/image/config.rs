//! The run config of the image (image-spec, config.md), with or without a base.

use noetl_oci::{BaseImage, RunConfig};
use serde_json::json;

use crate::image::base::CA_BUNDLE;
use crate::image::contents;
use crate::image::plan::ImagePlan;

/// Folders of programs without a base.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Returns the run config. It keeps the variables of a base; labels, health checks and volumes of a base are about
/// another program.
pub(super) fn run_config(plan: &ImagePlan, base: Option<&BaseImage>, packages: bool) -> RunConfig {
    let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    RunConfig {
        user: Some(format!("{0}:{0}", contents::USER)),
        exposed_ports: Some([(format!("{}/tcp", plan.port), json!({}))].into()),
        env: Some(env(base, packages)),
        entrypoint: words(&[contents::ENTRYPOINT]),
        cmd: words(&["server", "start"]),
        working_dir: Some(contents::HOME.to_owned()),
        labels: Some(plan.labels.clone()),
        stop_signal: Some("SIGTERM".to_owned()),
        ..RunConfig::default()
    }
}

/// Returns the base's variables in their order, with the image's own in place of those of the same name. Lists of
/// folders keep the base's folders, which come first.
fn env(base: Option<&BaseImage>, packages: bool) -> Vec<String> {
    let of_base = base.and_then(|base| base.config.config.as_ref()?.env.clone());
    let mut variables = Vec::new();
    for variable in of_base.unwrap_or_default() {
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        *value_of(&mut variables, name) = value.to_owned();
    }
    *value_of(&mut variables, "HOME") = contents::HOME.to_owned();
    // The server in a container is reached from outside of it.
    *value_of(&mut variables, "NOETL_HOST") = "::".to_owned();
    append(value_of(&mut variables, "PATH"), PATH);
    if packages {
        append(value_of(&mut variables, "PYTHONPATH"), contents::PACKAGES);
    }
    if !variables.iter().any(|(name, _)| name == "SSL_CERT_FILE") {
        *value_of(&mut variables, "SSL_CERT_FILE") = CA_BUNDLE.to_owned();
    }
    let pairs = variables.into_iter();
    pairs.map(|(name, value)| name + "=" + &value).collect()
}

/// Returns the value of a variable, which is added when it is not there.
fn value_of<'a>(variables: &'a mut Vec<(String, String)>, name: &str) -> &'a mut String {
    let known = variables.iter().position(|(known, _)| known == name);
    let position = known.unwrap_or(variables.len());
    if known.is_none() {
        variables.push((name.to_owned(), String::new()));
    }
    &mut variables[position].1
}

/// Appends the folders that a colon-separated list does not have.
fn append(list: &mut String, folders: &str) {
    let mut all: Vec<_> = list.split(':').filter(|it| !it.is_empty()).collect();
    for folder in folders.split(':') {
        if !all.contains(&folder) {
            all.push(folder);
        }
    }
    *list = all.join(":");
}
