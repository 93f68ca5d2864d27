//! The config of an image of ours (config.md), alone or on top of a base's.

use std::collections::BTreeMap;

use serde_json::json;

use crate::digest::Sha256;
use crate::oci::base::BaseImage;
use crate::oci::image::ImagePlan;
use crate::oci::model::{History, ImageConfig, RootFs, RunConfig};
use crate::oci::rootfs;
use crate::target::Platform;

/// One of our layers: its uncompressed digest, and what it is.
pub(super) type Own = (Sha256, &'static str);

/// Where programs are looked for without a base.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The config for one platform: the base's layers, history and variables first, then ours.
///
/// Labels, health checks and volumes of a base speak of another program and are left behind.
pub(super) fn config(
    plan: &ImagePlan,
    platform: Platform,
    base: Option<&BaseImage>,
    own: &[Own],
) -> ImageConfig {
    let mut diff_ids = base.map_or_else(Vec::new, |base| base.config.rootfs.diff_ids.clone());
    diff_ids.extend(own.iter().map(|(diff_id, _)| diff_id.oci()));
    let mut history = base.map_or_else(Vec::new, base_history);
    history.extend(
        own.iter()
            .map(|(_, name)| line(Some(plan.created.clone()), (*name).to_owned())),
    );
    let packages = own.iter().any(|(_, name)| *name == rootfs::PACKAGES_LAYER);
    ImageConfig {
        created: Some(plan.created.clone()),
        architecture: platform.architecture.to_owned(),
        os: platform.os.to_owned(),
        variant: platform.variant.map(ToOwned::to_owned),
        config: Some(RunConfig {
            user: Some(format!("{0}:{0}", rootfs::USER)),
            exposed_ports: Some(BTreeMap::from([(format!("{}/tcp", plan.port), json!({}))])),
            env: Some(env(base, packages)),
            entrypoint: Some(vec![rootfs::ENTRYPOINT.to_owned()]),
            cmd: Some(vec!["server".to_owned(), "start".to_owned()]),
            working_dir: Some(rootfs::HOME.to_owned()),
            labels: Some(plan.labels.clone()),
            stop_signal: Some("SIGTERM".to_owned()),
            other: BTreeMap::new(),
        }),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids,
        },
        history,
        other: BTreeMap::new(),
    }
}

fn line(created: Option<String>, name: String) -> History {
    History {
        created,
        created_by: Some(format!("cargo xtask image: {name}")),
        empty_layer: None,
        other: BTreeMap::new(),
    }
}

/// The base's own history, or a line per layer where it does not fit its layers.
fn base_history(base: &BaseImage) -> Vec<History> {
    let lines = base.config.history.iter();
    let filled = lines.filter(|line| line.empty_layer != Some(true)).count();
    if filled == base.layers.len() {
        return base.config.history.clone();
    }
    let layers = base.layers.iter();
    layers
        .map(|layer| {
            line(
                base.config.created.clone(),
                format!("base layer {}", layer.digest),
            )
        })
        .collect()
}

/// The base's variables in its order, ours in place of those of the same name; of lists of folders
/// the base's come first and none is lost.
fn env(base: Option<&BaseImage>, packages: bool) -> Vec<String> {
    let of_base = base.and_then(|base| base.config.config.as_ref()?.env.clone());
    let mut variables: Vec<(String, String)> = Vec::new();
    for variable in of_base.unwrap_or_default() {
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        set(&mut variables, name, value);
    }
    set(&mut variables, "HOME", rootfs::HOME);
    // A container is reached from outside, unlike a laptop.
    set(&mut variables, "NOETL_HOST", "0.0.0.0");
    append(&mut variables, "PATH", PATH);
    if packages {
        append(&mut variables, "PYTHONPATH", rootfs::PACKAGES);
    }
    if !variables.iter().any(|(name, _)| name == "SSL_CERT_FILE") {
        set(&mut variables, "SSL_CERT_FILE", rootfs::CA_BUNDLE);
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
