//! C: how a container starts, and what the image says of itself.

use anyhow::Context as _;
use serde_json::json;

use super::parts::{AMD64, ARM64};
use super::{Mutant, parts};
use crate::oci::layout::{CONTAINERD_NAME, REF_NAME};

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    parts(&["C1"], "the command begins with the program", true, |it| {
        let run = it.run(AMD64)?;
        let program = run.entrypoint.iter().flatten().next().cloned();
        let command = run.cmd.get_or_insert_default();
        command.insert(0, program.context("the image has no entry point")?);
        Ok(())
    }),
    parts(&["C2"], "PATH is set twice", true, |it| {
        let env = it.run(AMD64)?.env.get_or_insert_default();
        env.push("PATH=/bin".to_owned());
        Ok(())
    }),
    parts(&["C3"], "port 8081 is exposed", true, |it| {
        let port = ("8081/tcp".to_owned(), json!({}));
        it.run(AMD64)?.exposed_ports = Some([port].into());
        Ok(())
    }),
    parts(&["C4"], "the stop signal is none", true, |it| {
        it.run(AMD64)?.stop_signal = Some("SIGTERMINATE".to_owned());
        Ok(())
    }),
    parts(&["C5"], "/data is a volume", true, |it| {
        let volumes = json!({"/data": {}});
        it.run(AMD64)?.other.insert("Volumes".to_owned(), volumes);
        Ok(())
    }),
    parts(&["C6"], "the licence is `MIT License`", true, |it| {
        it.relabel("licenses", "MIT License");
        Ok(())
    }),
    parts(&["C7"], "the index does not say its source", true, |it| {
        let source = "org.opencontainers.image.source";
        it.index.annotations.remove(source);
        Ok(())
    }),
    parts(&["C8"], "arm64 was made later", true, |it| {
        it.configs[ARM64].created = Some("2027-02-03T04:05:06Z".to_owned());
        Ok(())
    }),
    parts(
        &["C9"],
        "index.json has a tag that the name has not",
        true,
        |it| {
            let name = it.names.manifests.first_mut().context("no name")?;
            name.annotations
                .insert(REF_NAME.to_owned(), "another".to_owned());
            Ok(())
        },
    ),
    parts(
        &["C10"],
        "manifest.json names both platforms alike",
        true,
        |it| {
            let annotations = it.names.manifests.iter().map(|name| &name.annotations);
            let names: Vec<_> = annotations
                .filter_map(|annotations| annotations.get(CONTAINERD_NAME).cloned())
                .collect();
            it.docker = vec![(AMD64, names.clone()), (ARM64, names)];
            Ok(())
        },
    ),
];
