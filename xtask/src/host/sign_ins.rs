//! Credentials for registries: the files that `docker login` and `podman login` write, credential helpers, and the
//! token of a GitHub Actions job.
//!
//! For each file in [`ctx`]'s order, first credHelpers or credsStore and then auths are asked, and last the job's token.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use noetl_oci::registry::{
    Client, Credentials, DockerConfig, Keychain, Lookup, helper_answer, helper_question,
};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::run;

/// Returns a client for registries that signs in with the credentials of this machine.
pub(crate) fn client(ctx: &Ctx) -> Client {
    let keychain = Arc::new(SignIns(Mutex::new(ctx.clone())));
    Client::new(keychain, ctx.network.clone()).trusting(ctx.token_servers.clone())
}

/// The credentials of this machine.
#[derive(Debug)]
struct SignIns(Mutex<Ctx>);

impl Keychain for SignIns {
    /// Skips helpers that are not installed.
    fn find(&self, host: &str, repository: &str) -> anyhow::Result<Lookup> {
        let ctx = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lookup = Lookup::default();
        for path in &ctx.credentials.files {
            if !path.is_file() {
                lookup.places.push(format!("{path} (not found)"));
                continue;
            }
            let config = DockerConfig::read(path)?;
            if let Some(helper) = config.helper(host) {
                let (credentials, remark) = ask(&ctx, helper, host)?;
                let place = format!("docker-credential-{helper}{remark}");
                lookup.places.push(place);
                lookup.credentials = credentials;
                if lookup.credentials.is_some() {
                    return Ok(lookup);
                }
            }
            lookup.places.push(path.to_string());
            let credentials = config.credentials(host, repository);
            lookup.credentials = credentials
                .with_context(|| format!("{path}: the entry for {host} is damaged"))
                .help(format!("sign in again: docker login {host}"))?;
            if lookup.credentials.is_some() {
                return Ok(lookup);
            }
        }
        if let ("ghcr.io", Some((actor, token))) = (host, &ctx.credentials.github) {
            lookup.places.push("GITHUB_TOKEN".to_owned());
            lookup.credentials = Some(Credentials::Password(actor.clone(), token.clone()));
        }
        Ok(lookup)
    }
}

/// Runs `docker-credential-NAME get`, which reads the host and prints JSON. Returns the credentials, or a remark on why
/// there are none.
fn ask(ctx: &Ctx, helper: &str, host: &str) -> anyhow::Result<(Option<Credentials>, &'static str)> {
    let program = format!("docker-credential-{helper}");
    if ctx::find_program(&program).is_none() {
        return Ok((None, " (not installed)"));
    }
    let server = helper_question(host);
    let output = run::with_input(ctx, &CommandLine::new(&program).arg("get"), server)?;
    let error = if output.status.success() {
        match helper_answer(&output.stdout) {
            Some(Some(credentials)) => return Ok((Some(credentials), "")),
            Some(None) => return Ok((None, " (has none)")),
            None => {}
        }
        anyhow!("{program} did not print a user name and a secret")
    } else {
        // The protocol has this message on standard output, and no exit code for it.
        if String::from_utf8_lossy(&output.stdout).contains("credentials not found") {
            return Ok((None, " (has none)"));
        }
        anyhow!("{program} failed ({})", output.status)
    };
    Err(error).help(format!(
        "run `echo {server} | {program} get` to see why, or sign in again: docker login {host}"
    ))
}
