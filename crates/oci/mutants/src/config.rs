//! C: how a container starts, and annotations and names of the image.

use anyhow::Context as _;
use noetl_oci::annotation::{CONTAINERD_NAME, REF_NAME, SOURCE};
use noetl_oci::rules::Rule;
use noetl_oci::rules::catalogue::{C1, C2, C3, C4, C5, C7, C8, C9, C10};
use serde_json::json;

use crate::{AMD64, ARM64, Edit, Mutant, Parts};

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    parts(&C1, |it| {
        let run = it.run(AMD64)?;
        let program = run.entrypoint.iter().flatten().next().cloned();
        let command = run.cmd.get_or_insert_default();
        command.insert(0, program.context("the image has no entry point")?);
        Ok(())
    }),
    parts(&C2, |it| {
        let env = it.run(AMD64)?.env.get_or_insert_default();
        env.push("PATH=/bin".to_owned());
        Ok(())
    }),
    parts(&C3, |it| {
        let port = ("8081/tcp".to_owned(), json!({}));
        it.run(AMD64)?.exposed_ports = Some([port].into());
        Ok(())
    }),
    parts(&C4, |it| {
        it.run(AMD64)?.stop_signal = Some("SIGTERMINATE".to_owned());
        Ok(())
    }),
    parts(&C5, |it| {
        let volumes = json!({"/data": {}});
        it.run(AMD64)?.other.insert("Volumes".to_owned(), volumes);
        Ok(())
    }),
    parts(&C7, |it| {
        it.index.annotations.remove(SOURCE);
        Ok(())
    }),
    parts(&C8, |it| {
        it.configs[ARM64].created = Some("2027-02-03T04:05:06Z".to_owned());
        Ok(())
    }),
    parts(&C9, |it| {
        let name = it.names.manifests.first_mut().context("no name")?;
        name.annotations
            .insert(REF_NAME.to_owned(), "another".to_owned());
        Ok(())
    }),
    parts(&C10, |it| {
        let annotations = it.names.manifests.iter().map(|name| &name.annotations);
        let names: Vec<_> = annotations
            .filter_map(|annotations| annotations.get(CONTAINERD_NAME).cloned())
            .collect();
        it.docker = vec![(AMD64, names.clone()), (ARM64, names)];
        Ok(())
    }),
];

const fn parts(rule: &'static Rule, edit: fn(&mut Parts) -> anyhow::Result<()>) -> Mutant {
    Mutant::new(rule, Edit::Parts(edit))
}
