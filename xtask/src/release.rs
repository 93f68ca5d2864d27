//! What is being built: version, tag, commit and the one point in time that every file gets.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::stamp::Stamp;
use crate::{files, sh};

/// Computed once per run and passed down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// `[workspace.package] version`.
    pub version: String,
    /// The git tag of this version, `v{version}`.
    pub tag: String,
    /// Forty hex digits, with `-dirty` when the tree differs from it.
    pub commit: String,
    /// Seconds since 1970: the commit's time, or SOURCE_DATE_EPOCH. Every mtime and every `created`.
    pub commit_time: u64,
}

impl Release {
    /// Reads version, commit and time.
    pub(crate) fn read(ctx: &Ctx) -> anyhow::Result<Self> {
        let version = workspace_version(&files::read_to_string(&ctx.root.join("Cargo.toml"))?)?;
        let git = |args: &[&str]| {
            let output = sh::read(ctx, &CommandLine::new("git").args(args.iter().copied()));
            output
                .map(|text| text.trim().to_owned())
                .help("build from a git checkout with at least one commit")
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let dirty = !git(&["status", "--porcelain"])?.is_empty();
        let commit_time = commit_time(ctx, "HEAD")?;
        let commit = if dirty {
            format!("{commit}-dirty")
        } else {
            commit
        };
        Ok(Self {
            tag: format!("v{version}"),
            version,
            commit,
            commit_time,
        })
    }

    /// The release that a binary says it is of; its time is that of its commit here.
    pub(crate) fn of(ctx: &Ctx, stamp: &Stamp) -> anyhow::Result<Self> {
        let commit = stamp.commit.trim_end_matches("-dirty");
        let commit_time = commit_time(ctx, commit)
            .with_context(|| format!("commit {commit} of the binary is not in this checkout"))
            .help("set SOURCE_DATE_EPOCH to the time of that commit")?;
        Ok(Self {
            version: stamp.version.clone(),
            tag: format!("v{}", stamp.version),
            commit: stamp.commit.clone(),
            commit_time,
        })
    }

    /// Whether the tree differs from the commit.
    pub(crate) fn is_dirty(&self) -> bool {
        self.commit.ends_with("-dirty")
    }

    /// The commit time as RFC 3339 in UTC, whole seconds.
    pub(crate) fn created(&self) -> String {
        rfc3339(self.commit_time)
    }
}

/// SOURCE_DATE_EPOCH, or the time of a commit.
fn commit_time(ctx: &Ctx, commit: &str) -> anyhow::Result<u64> {
    if let Some(text) = &ctx.source_date_epoch {
        return epoch(text).help("unset it, or give seconds since 1970, such as 1767225600");
    }
    let log = CommandLine::new("git").args(["log", "-1", "--format=%ct", commit]);
    let time = sh::read(ctx, &log).help("build from a git checkout with at least one commit")?;
    time.trim().parse().context("git gave no commit time")
}

/// Parses SOURCE_DATE_EPOCH; a zip can hold the years 1980 to 2107, and no file is from the future of that.
fn epoch(text: &str) -> anyhow::Result<u64> {
    let seconds = text
        .parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH={text} is not a number of seconds"))?;
    let (year, ..) = civil(seconds);
    anyhow::ensure!(
        (1980..=2107).contains(&year),
        "SOURCE_DATE_EPOCH={text} is not between 1980 and 2107"
    );
    Ok(seconds)
}

/// Year, month, day, hour, minute, second in UTC of a Unix time.
///
/// Days to dates by Howard Hinnant's `civil_from_days`; a date crate would be the largest part of xtask.
pub(crate) fn civil(unix: u64) -> (u16, u8, u8, u8, u8, u8) {
    let narrow = |number: u64| u8::try_from(number).expect("parts of a date are small");
    let (days, seconds) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let year = u16::try_from(year).unwrap_or(u16::MAX);
    (
        year,
        narrow(month),
        narrow(day),
        narrow(seconds / 3600),
        narrow(seconds / 60 % 60),
        narrow(seconds % 60),
    )
}

fn rfc3339(unix: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(unix);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a time in RFC 3339 and UTC, with a fraction or not, as seconds since 1970.
pub(crate) fn parse_time(text: &str) -> Option<u64> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !fraction.is_empty() && !fraction.strip_prefix('.').is_some_and(is_number) {
        return None;
    }
    let number = |range| {
        whole
            .get(range)
            .filter(|it| is_number(it))?
            .parse::<u64>()
            .ok()
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // The inverse of `civil`: years begin in March, so that a leap day is the last.
    let from_march = (month + 9) % 12;
    let year = year.checked_sub(u64::from(month <= 2))?;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (from_march * 153 + 2) / 5 + day;
    let days = days.checked_sub(1 + 719_468)?;
    let unix = days * 86_400 + hour * 3600 + minute * 60 + second;
    // What does not come back as it was is no date, such as the 30th of February.
    (rfc3339(unix).strip_suffix('Z') == Some(whole)).then_some(unix)
}

/// Finds `version = "…"` in the `[workspace.package]` table.
pub(crate) fn workspace_version(cargo_toml: &str) -> anyhow::Result<String> {
    workspace_field(cargo_toml, "version")
}

/// Finds `key = "…"` in the `[workspace.package]` table; nothing else in the file needs a TOML parser.
pub(crate) fn workspace_field(cargo_toml: &str, key: &str) -> anyhow::Result<String> {
    let table = cargo_toml
        .lines()
        .skip_while(|line| line.trim() != "[workspace.package]")
        .skip(1);
    let mut lines = table.take_while(|line| !line.starts_with('['));
    let start = format!("{key} = \"");
    let value = lines.find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'));
    Ok(value
        .with_context(|| format!("Cargo.toml has no `{key} = \"…\"` in [workspace.package]"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_of_the_gregorian_calendar() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_826_554, "2000-02-29T12:15:54Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
            assert_eq!(parse_time(text), Some(unix));
        }
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        let docker = "2026-01-01T00:00:00.123456789Z";
        assert_eq!(parse_time(docker), Some(1_767_225_600));
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn an_epoch_that_an_archive_cannot_hold_is_refused() {
        assert_eq!(epoch("1767225600").unwrap(), 1_767_225_600);
        for text in ["0", "yesterday", "-1", "99999999999999"] {
            assert!(epoch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_version_is_the_workspace_packages() {
        let cargo_toml =
            "[package]\nversion = \"9\"\n[workspace.package]\n# why\nversion = \"1.2.3\"\n[x]\n";
        assert_eq!(workspace_version(cargo_toml).unwrap(), "1.2.3");
        assert!(workspace_version("[workspace.package]\n[x]\nversion = \"1\"\n").is_err());
    }
}
