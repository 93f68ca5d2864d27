//! One release at a time: a reference in the git remote, which git makes only when it is not there, says who is releasing
//! and where.

use std::fs::File;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, git, run};
use crate::publish::journal::Journal;

/// The reference; it points to a blob with a [`Holder`].
const REFERENCE: &str = "refs/noetl/release";

/// Who is releasing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The tag that is released.
    pub tag: String,
    /// A person with a mail address, or a user of GitHub.
    pub who: String,
    /// A machine and a folder, or a run of a workflow.
    pub place: String,
    /// When it began, in RFC 3339; a workflow has none, so that a second attempt is the same holder.
    pub since: String,
}

impl Holder {
    /// Returns the holder that this checkout or this run of a workflow is, as it was when the release began.
    ///
    /// # Errors
    /// When the file about it cannot be read or written.
    pub(crate) fn of(ctx: &Ctx, journal: &Journal, tag: &str) -> anyhow::Result<Self> {
        if let Some((who, place)) = ctx::workflow_run() {
            let (tag, since) = (tag.to_owned(), String::new());
            return Ok(Self {
                tag,
                who,
                place,
                since,
            });
        }
        let path = journal.folder().join("holder.json");
        if path.is_file() {
            let holder = serde_json::from_slice(&files::read(&path)?);
            return holder.with_context(|| format!("{path} is damaged"));
        }
        let setting = |name: &str| git::read(ctx, &["config", "--get", name]).unwrap_or_default();
        let who = format!(
            "{} <{}>",
            setting("user.name").trim(),
            setting("user.email").trim()
        );
        let machine = run::read(ctx, &CommandLine::new("hostname")).unwrap_or_default();
        let place = format!("{}:{}", machine.trim(), ctx.root);
        let holder = Self {
            tag: tag.to_owned(),
            who,
            place,
            since: Timestamp::now().to_string(),
        };
        files::write(&path, serde_json::to_vec_pretty(&holder)?)?;
        Ok(holder)
    }

    fn describe(&self) -> String {
        let Self {
            tag,
            who,
            place,
            since,
        } = self;
        let since = if since.is_empty() {
            String::new()
        } else {
            format!(", since {since}")
        };
        format!("{who} releases {tag} at {place}{since}")
    }
}

/// The lock of a remote, which is held until [`Lock::release`], also when this process ends.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    ctx: &'a Ctx,
    remote: String,
    blob: String,
    /// Held by this process, so that two in one checkout, which are the same holder, do not publish at once.
    _file: File,
}

/// Takes the lock. The same holder has it again; `take_over` takes it from another one.
///
/// # Errors
/// When somebody else has it, and who that is; when the remote does not answer.
pub(crate) fn take<'a>(
    ctx: &'a Ctx,
    journal: &Journal,
    remote: &str,
    holder: &Holder,
    take_over: bool,
) -> anyhow::Result<Lock<'a>> {
    let local = journal.folder().join("lock");
    let file = File::create(&local).with_context(|| format!("cannot open {local}"))?;
    if file.try_lock().is_err() {
        return Err(anyhow!(
            "another `cargo xtask release` is at work in this checkout"
        ))
        .help("wait until it is done; it prints what it does where it was started");
    }
    let path = journal.folder().join("lock.json");
    files::write(&path, serde_json::to_vec(holder)?)?;
    let blob = git::read(ctx, &["hash-object", "-w", "--", path.as_str()])?;
    let blob = blob.trim().to_owned();
    let lock = Lock {
        ctx,
        remote: remote.to_owned(),
        blob: blob.clone(),
        _file: file,
    };
    let refspec = format!("{blob}:{REFERENCE}");
    let push = |expected: &str| {
        let lease = format!("--force-with-lease={REFERENCE}:{expected}");
        git::read(ctx, &["push", "--quiet", &lease, remote, &refspec])
    };
    let Err(error) = push("") else {
        return Ok(lock);
    };
    match found(ctx, remote)? {
        // Nothing holds it, so that the push failed for another reason.
        None => Err(error)
            .with_context(|| format!("cannot take the lock of {remote}"))
            .help("check that you may push there: git push --dry-run"),
        Some((other, _)) if other == blob => Ok(lock),
        Some((other, _)) if take_over => push(&other).map(|_| lock),
        Some((_, holder)) => Err(anyhow!("{holder}")).help(
            "wait until it is done; if it was given up there, take it over: cargo xtask release --resume --take-over",
        ),
    }
}

/// Returns the blob at the reference, and who holds it.
fn found(ctx: &Ctx, remote: &str) -> anyhow::Result<Option<(String, String)>> {
    let listed = git::read(ctx, &["ls-remote", "--", remote, REFERENCE])?;
    let Some((blob, _)) = listed.split_once('\t') else {
        return Ok(None);
    };
    let fetched = git::read(
        ctx,
        &["fetch", "--quiet", "--no-tags", "--", remote, REFERENCE],
    )
    .and_then(|_| git::read(ctx, &["cat-file", "blob", blob]));
    let holder = fetched
        .ok()
        .and_then(|text| serde_json::from_str::<Holder>(&text).ok());
    let unknown = || format!("another release is under way ({REFERENCE} is {blob})");
    Ok(Some((
        blob.to_owned(),
        holder.map_or_else(unknown, |it| it.describe()),
    )))
}

impl Lock<'_> {
    /// Gives the lock back.
    ///
    /// # Errors
    /// When the remote does not answer.
    pub(crate) fn release(self) -> anyhow::Result<()> {
        let lease = format!("--force-with-lease={REFERENCE}:{}", self.blob);
        let refspec = format!(":{REFERENCE}");
        let pushed = git::read(
            self.ctx,
            &["push", "--quiet", &lease, &self.remote, &refspec],
        );
        match pushed {
            Err(error) if found(self.ctx, &self.remote)?.is_some() => {
                Err(error).context("cannot give the lock of the release back")
            }
            _ => Ok(()),
        }
    }
}
