//! git in this repository: its commit, its files, its history. [`noetl_checkout`] runs git, so that the user's
//! environment and configuration change nothing.

use camino::Utf8Path;
use noetl_checkout::Source;
use noetl_help::Help as _;
use noetl_oci::Sha256;

use crate::host::ctx::Ctx;
use crate::host::{files, output};

/// Runs a git command at the repository's root and returns its standard output.
///
/// # Errors
/// When the root is not the top level of a checkout, or git fails; the error's help is git's advice.
pub(crate) fn read(ctx: &Ctx, args: &[&str]) -> anyhow::Result<String> {
    output::detail(ctx, &format!("$ git {}", args.join(" ")));
    let root = ctx.root.as_std_path();
    if !noetl_checkout::is_checkout(root).map_err(with_help)? {
        return Err(anyhow::anyhow!("{} is not a git checkout", ctx.root))
            .help("use a clone: this needs the repository's history");
    }
    noetl_checkout::read(root, args).map_err(with_help)
}

/// Clones the checkout's last commit into a new folder.
///
/// # Errors
/// As for [`read`].
pub(crate) fn clone(ctx: &Ctx, to: &Utf8Path) -> anyhow::Result<()> {
    let args = ["clone", "--quiet", ctx.root.as_str(), to.as_str()];
    read(ctx, &args).map(drop)
}

/// Returns the commit of the sources: of a git checkout, or of a source archive.
///
/// # Errors
/// When the root is neither, or git fails.
pub(crate) fn source(ctx: &Ctx) -> anyhow::Result<Source> {
    Source::read(ctx.root.as_std_path()).map_err(with_help)
}

fn with_help(error: noetl_checkout::Error) -> anyhow::Error {
    let help = error.help.clone();
    let error = anyhow::Error::new(error);
    match help.is_empty() {
        true => error,
        false => error.help(help),
    }
}

/// Returns the files below `folder` that are in a clone, relative to the root.
///
/// # Errors
/// When git fails, or the folder cannot be listed.
pub(crate) fn list(ctx: &Ctx, folder: &str) -> anyhow::Result<Vec<String>> {
    noetl_checkout::files(ctx.root.as_std_path(), folder).map_err(with_help)
}

/// Returns the hash of the names and contents of the files below `folder`.
///
/// # Errors
/// When the files cannot be listed or read.
pub(crate) fn hash(ctx: &Ctx, folder: &str) -> anyhow::Result<Sha256> {
    let mut listing = String::new();
    for path in list(ctx, folder)? {
        let file = ctx.root.join(&path);
        // A tracked file that was deleted is a change, too.
        let hash = if file.is_file() {
            Sha256::of(&files::read(&file)?).to_string()
        } else {
            "gone".to_owned()
        };
        listing.push_str(&format!("{hash}  {path}\n"));
    }
    Ok(Sha256::of(listing.as_bytes()))
}
