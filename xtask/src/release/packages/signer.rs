//! Signatures of the lists of repositories, made by GnuPG with a key of the user's key ring.

use anyhow::{Context as _, ensure};
use noetl_help::Help as _;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::run;

/// Signs with one key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub ctx: &'a Ctx,
    /// A fingerprint, a key id or an address, as `gpg --local-user` takes it.
    pub key: &'a str,
}

impl Signer<'_> {
    /// Signs nothing, so that a key that is missing, expired or locked is found before a long build.
    ///
    /// # Errors
    /// When GnuPG is missing, or cannot sign.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.detached("").map(drop)
    }

    /// Returns a text with a signature around it.
    ///
    /// # Errors
    /// When GnuPG is missing, or has no such secret key.
    pub(crate) fn inline(&self, text: &str) -> anyhow::Result<Vec<u8>> {
        self.ask(&["--digest-algo", "SHA512", "--clearsign"], text)
    }

    /// Returns the signature of a text alone, in ASCII.
    ///
    /// # Errors
    /// When GnuPG is missing, or has no such secret key.
    pub(crate) fn detached(&self, text: &str) -> anyhow::Result<Vec<u8>> {
        self.ask(&["--digest-algo", "SHA512", "--detach-sign"], text)
    }

    /// Returns the public key in ASCII.
    ///
    /// # Errors
    /// When GnuPG is missing, or has no such key.
    pub(crate) fn public_key(&self) -> anyhow::Result<Vec<u8>> {
        let options = ["--export-options", "export-minimal", "--export", self.key];
        self.ask(&options, "")
    }

    fn ask(&self, options: &[&str], input: &str) -> anyhow::Result<Vec<u8>> {
        let (shell, key) = (&self.ctx.shell, self.key);
        let gpg = cmd!(shell, "gpg --batch --armor --local-user {key} {options...}");
        let cannot = || format!("cannot sign with the key {key}");
        let help = "`gpg --list-secret-keys` lists the keys that can sign";
        let said = run::with_input(self.ctx, gpg, input).with_context(cannot)?;
        let message = String::from_utf8_lossy(&said.stderr);
        let signed = || {
            ensure!(
                said.status.success() && !said.stdout.is_empty(),
                "{}",
                message.trim()
            );
            Ok(said.stdout.clone())
        };
        signed().with_context(cannot).help(help)
    }
}
