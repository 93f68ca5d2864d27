//! The files that a clone would have: what git tracks, and what it would track if it were added.

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::digest::Sha256;
use crate::{files, sh};

/// Paths below `folder`, relative to the root, in git's order.
pub(crate) fn list(ctx: &Ctx, folder: &str) -> anyhow::Result<Vec<String>> {
    let git = CommandLine::new("git").args(["ls-files", "--cached", "--others"]);
    let listing = sh::read(ctx, &git.args(["--exclude-standard", "-z", "--", folder]))?;
    Ok(listing
        .split_terminator('\0')
        .map(ToOwned::to_owned)
        .collect())
}

/// The hash of names and contents below `folder`: whatever a build could read there.
pub(crate) fn hash(ctx: &Ctx, folder: &str) -> anyhow::Result<Sha256> {
    let mut listing = String::new();
    for path in list(ctx, folder)? {
        let file = ctx.root.join(&path);
        // A file that git knows and that is gone is a change as well.
        let hash = if file.is_file() {
            Sha256::of(&files::read(&file)?).to_string()
        } else {
            "gone".to_owned()
        };
        listing.push_str(&format!("{hash}  {path}\n"));
    }
    Ok(Sha256::of(listing.as_bytes()))
}
