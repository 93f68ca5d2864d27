//! Whether the server that was deployed answers: `noetl` asks it, through a port that kubectl forwards.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, run};
use crate::tasks::k8s::kubectl;

/// Forwards a port to the Service and has `noetl` ask what a browser would.
pub(super) fn ask(
    ctx: &Ctx,
    context: &str,
    noetl: &str,
    manifests: &Utf8Path,
    namespace: &str,
) -> anyhow::Result<()> {
    let documents = noetl_yaml::parse(&files::read_to_string(manifests)?)?;
    let secret = documents.iter().find_map(|document| {
        let pod = document.at("spec.template.spec")?;
        let env = pod.get("containers")?.items().first()?.get("env")?;
        env.items()
            .first()?
            .at("valueFrom.secretKeyRef.name")?
            .text()
    });
    let secret = secret.context("the manifests name no Secret")?;
    let template = "go-template={{.data.NOETL_API_TOKEN | base64decode}}";
    let get = [
        "get",
        "secret",
        secret,
        "--namespace",
        namespace,
        "--output",
        template,
    ];
    let token = TokenFile::write(ctx, &run::read(ctx, &kubectl(context, &get))?)?;
    let forward = [
        "port-forward",
        "--namespace",
        namespace,
        "service/noetl",
        ":8082",
    ];
    let address = |line: &str| {
        let address = line.strip_prefix("Forwarding from 127.0.0.1:")?;
        Some(address.split(' ').next()?.to_owned())
    };
    run::beside(ctx, &kubectl(context, &forward), address, |port| {
        let url = format!("http://127.0.0.1:{port}");
        let check = [
            "server",
            "check",
            "--server-url",
            &url,
            "--token-file",
            token.0.as_str(),
        ];
        run::run(ctx, &CommandLine::new(noetl).args(check))
    })
}

/// The token in a file for the length of a check: a command line is for everyone to read.
struct TokenFile(Utf8PathBuf);

impl TokenFile {
    fn write(ctx: &Ctx, token: &str) -> anyhow::Result<Self> {
        let path = ctx.state().join("k8s/token");
        files::create_folder(&ctx.state().join("k8s"))?;
        files::remove(&path)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let written = options
            .open(&path)
            .and_then(|mut file| file.write_all(token.as_bytes()));
        written.with_context(|| format!("cannot write {path}"))?;
        ensure!(!token.is_empty(), "the Secret has no NOETL_API_TOKEN");
        Ok(Self(path))
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // It is removed before the next one is written, too.
        drop(fs::remove_file(&self.0));
    }
}
