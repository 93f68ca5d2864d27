//! Checks the deployed server with `noetl`, through a port that kubectl forwards.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use noetl_yaml::Node;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, run};

/// Forwards a port to the Service and runs `noetl server check` on it. `documents` are the manifests.
pub(super) fn check(
    ctx: &Ctx,
    context: &str,
    noetl: &Utf8Path,
    documents: &[Node],
    namespace: &str,
) -> anyhow::Result<()> {
    let sh = &ctx.shell;
    let secret = documents.iter().find_map(|document| {
        let containers = document.at("spec.template.spec.containers")?.items();
        let variable = containers.first()?.get("env")?.items().first()?;
        variable.at("valueFrom.secretKeyRef.name")?.text()
    });
    let secret = secret.context("the manifests name no Secret")?;
    let kubectl = || cmd!(sh, "kubectl --context {context} --namespace {namespace}");
    let template = "go-template={{.data.NOETL_API_TOKEN | base64decode}}";
    let get = kubectl().args(["get", "secret", secret, "--output", template]);
    let token = TokenFile::write(ctx, &run::read(ctx, get)?)?;
    let forward = kubectl().args(["port-forward", "service/noetl", ":8082"]);
    let port = |line: &str| {
        let address = line.strip_prefix("Forwarding from 127.0.0.1:")?;
        Some(address.split(' ').next()?.to_owned())
    };
    run::beside(ctx, forward, port, |port| {
        let check = cmd!(
            sh,
            "{noetl} server check --server-url http://127.0.0.1:{port}"
        );
        run::run(ctx, check.args(["--token-file", token.0.as_str()]))
    })
}

/// A file with the token, removed when dropped: other users can read the command line of a process.
struct TokenFile(Utf8PathBuf);

impl TokenFile {
    fn write(ctx: &Ctx, token: &str) -> anyhow::Result<Self> {
        ensure!(!token.is_empty(), "the Secret has no NOETL_API_TOKEN");
        let path = ctx.state().join("k8s/token");
        files::create_folder(&ctx.state().join("k8s"))?;
        files::remove(&path)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path);
        file.and_then(|mut file| file.write_all(token.as_bytes()))
            .with_context(|| format!("cannot write {path}"))?;
        Ok(Self(path))
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // One that is left is removed before the next one is written.
        drop(fs::remove_file(&self.0));
    }
}
