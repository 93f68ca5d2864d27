//! Credentials for registries: the files that `docker login` and `podman login` write, credential helpers, and the
//! token of a GitHub Actions job.
//!
//! In the order docker and podman use: credHelpers, credsStore, auths, each file by itself, then the job's token.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use noetl_oci::registry::{
    Client, Credentials, DockerConfig, Keychain, Lookup, helper_answer, helper_question,
};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, CredentialSources, Ctx};
use crate::host::run;

/// Returns a client of registries that signs in with what this machine has.
pub(crate) fn client(ctx: &Ctx) -> Client {
    let keychain = SignIns {
        sources: ctx.credentials.clone(),
        ctx: std::sync::Mutex::new(ctx.clone()),
    };
    let user_agent = concat!("noetl-xtask/", env!("CARGO_PKG_VERSION"));
    Client::new(Arc::new(keychain), user_agent)
}

/// The sign-ins of this machine.
#[derive(Debug)]
struct SignIns {
    sources: CredentialSources,
    /// Runs credential helpers, one at a time.
    ctx: std::sync::Mutex<Ctx>,
}

impl Keychain for SignIns {
    /// A helper that is not installed is passed over.
    fn find(&self, host: &str, repository: &str) -> anyhow::Result<Lookup> {
        let mut lookup = Lookup::default();
        for path in &self.sources.files {
            if !path.is_file() {
                lookup.places.push(format!("{path} (there is none)"));
                continue;
            }
            let config = DockerConfig::read(path)?;
            if let Some(helper) = config.helper(host) {
                let (credentials, remark) = self.ask(helper, host)?;
                lookup
                    .places
                    .push(format!("docker-credential-{helper}{remark}"));
                lookup.credentials = credentials;
                if lookup.credentials.is_some() {
                    return Ok(lookup);
                }
            }
            lookup.places.push(path.to_string());
            lookup.credentials = config
                .credentials(host, repository)
                .with_context(|| format!("{path}: the entry for {host} is damaged"))
                .help(format!("sign in again: docker login {host}"))?;
            if lookup.credentials.is_some() {
                return Ok(lookup);
            }
        }
        if host == "ghcr.io"
            && let Some((actor, token)) = &self.sources.github
        {
            lookup.places.push("GITHUB_TOKEN".to_owned());
            lookup.credentials = Some(Credentials::Password(actor.clone(), token.clone()));
        }
        Ok(lookup)
    }
}

impl SignIns {
    /// Runs `docker-credential-NAME get`, which reads the host and answers with JSON. Returns what it has, or why it
    /// has nothing.
    fn ask(&self, helper: &str, host: &str) -> anyhow::Result<(Option<Credentials>, &'static str)> {
        let program = format!("docker-credential-{helper}");
        if ctx::find_program(&program).is_none() {
            return Ok((None, " (not installed)"));
        }
        let server = helper_question(host);
        let ctx = self
            .ctx
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let output = run::ask(&ctx, &CommandLine::new(&program).arg("get"), server)?;
        let help = format!(
            "look at `echo {server} | {program} get`, or sign in again: docker login {host}"
        );
        if !output.status.success() {
            // The protocol has this message for it, on standard output, and no exit code of its own.
            if String::from_utf8_lossy(&output.stdout).contains("credentials not found") {
                return Ok((None, " (knows none)"));
            }
            return Err(anyhow!("{program} failed ({})", output.status)).help(help);
        }
        match helper_answer(&output.stdout) {
            Some(credentials) => Ok((Some(credentials), "")),
            None => Err(anyhow!(
                "{program} did not answer with a user name and a secret"
            ))
            .help(help),
        }
    }
}
