//! Version, tag and commit of a build, and the time that all its files have.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use noetl_checkout::Origin;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};

use crate::host::ctx::Ctx;
use crate::host::{git, output};
use crate::release::stamp::Stamp;
use crate::release::workspace::{self, REPOSITORY};

/// The release that is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// `[workspace.package] version`.
    pub version: String,
    /// The git tag of this version, `v{version}`.
    pub tag: String,
    /// The commit in hex, with `-dirty` when the working tree differs from it.
    pub commit: String,
    /// The time of every file and of every `created`: that of the commit, or SOURCE_DATE_EPOCH, in seconds since 1970.
    pub commit_time: u64,
}

impl Release {
    /// Reads version, commit and time of the sources, which are a git checkout or a source archive.
    ///
    /// # Errors
    /// When the sources are neither, or cargo or git fails.
    pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Self> {
        let version = workspace::version(ctx)?;
        let source = git::source(ctx)?;
        if source.origin == Origin::Archive {
            let commit = &source.commit;
            output::note(ctx, &format!("a source archive of commit {commit}"));
        }
        let is_dirty = source.is_modified || source.has_untracked;
        let suffix = if is_dirty { "-dirty" } else { "" };
        Ok(Self {
            tag: format!("v{version}"),
            version,
            commit: format!("{}{suffix}", source.commit),
            commit_time: override_time(ctx)?.unwrap_or(source.time),
        })
    }

    /// Returns the release in a binary's build stamp, with the time of its commit.
    ///
    /// # Errors
    /// When the commit is not in this checkout and SOURCE_DATE_EPOCH is not set.
    pub(crate) fn of(ctx: &Ctx, stamp: &Stamp) -> anyhow::Result<Self> {
        let commit = stamp.commit.trim_end_matches("-dirty");
        Ok(Self {
            version: stamp.version.clone(),
            tag: format!("v{}", stamp.version),
            commit: stamp.commit.clone(),
            commit_time: commit_time(ctx, commit)?,
        })
    }

    /// Whether the working tree differs from the commit.
    pub(crate) fn is_dirty(&self) -> bool {
        self.commit.ends_with("-dirty")
    }

    /// Returns the URL of a file of this release.
    pub(crate) fn download_url(&self, file: &str) -> String {
        format!("{REPOSITORY}/releases/download/{}/{file}", self.tag)
    }

    /// Returns the commit time as RFC 3339 in UTC.
    pub(crate) fn created(&self) -> String {
        rfc3339(self.commit_time)
    }
}

/// Returns SOURCE_DATE_EPOCH, or the time of a commit of these sources.
fn commit_time(ctx: &Ctx, commit: &str) -> anyhow::Result<u64> {
    if let Some(time) = override_time(ctx)? {
        return Ok(time);
    }
    let help = "set SOURCE_DATE_EPOCH to the time of that commit";
    let source = git::source(ctx)?;
    if source.commit == commit {
        return Ok(source.time);
    }
    let log = git::read(ctx, &["log", "-1", "--format=%ct", commit]);
    let time = log
        .with_context(|| format!("commit {commit} of the binary is not in this checkout"))
        .help(help)?;
    let time = time.trim().parse();
    time.context("git printed no time of the commit")
}

/// Returns SOURCE_DATE_EPOCH if it is set.
fn override_time(ctx: &Ctx) -> anyhow::Result<Option<u64>> {
    let text = ctx.source_date_epoch.as_deref();
    let help = "unset it, or give seconds since 1970, such as 1767225600";
    text.map(|text| epoch(text).help(help)).transpose()
}

/// Parses SOURCE_DATE_EPOCH. A zip can contain the years 1980 to 2107.
fn epoch(text: &str) -> anyhow::Result<u64> {
    let seconds = text.parse();
    let seconds =
        seconds.with_context(|| format!("SOURCE_DATE_EPOCH={text} is not a number of seconds"))?;
    let time = Timestamp::from_second(seconds);
    let year = time.map(|time| time.to_zoned_datetime(TimeZone::UTC).year());
    let is_valid = year.is_ok_and(|year| (1980..=2107).contains(&year));
    ensure!(
        is_valid,
        "SOURCE_DATE_EPOCH={text} is not between 1980 and 2107"
    );
    Ok(u64::try_from(seconds)?)
}

/// Returns a time as RFC 3339 in UTC, or as its number when it is out of range.
pub(crate) fn rfc3339(unix: u64) -> String {
    let seconds = i64::try_from(unix).ok();
    let time = seconds.and_then(|it| Timestamp::from_second(it).ok());
    time.map_or_else(|| unix.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_826_554, "2000-02-29T12:15:54Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
        }
    }

    #[test]
    fn invalid_source_date_epoch_is_refused() {
        assert_eq!(epoch("1767225600").unwrap(), 1_767_225_600);
        for text in ["0", "yesterday", "-1", "99999999999999"] {
            assert!(epoch(text).is_err(), "{text}");
        }
    }
}
