//! Whether there is a newer release, asked once a day at the most.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{CURRENT, owner, program};
use crate::commands::own::releases::{self, Releases};
use crate::config;

/// How long an answer is valid.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The last answer, in `~/.noetl/newest-release.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// When it came, in seconds since 1970.
    asked: u64,
    /// The newest version then.
    version: String,
    /// The mirror that was asked.
    #[serde(default)]
    mirror: Option<String>,
}

/// What is known of the newest release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub(in crate::commands) enum Newest {
    /// This is it, or newer.
    UpToDate {
        /// The newest release.
        version: String,
    },
    /// There is a newer one.
    Newer {
        /// The newest release.
        version: String,
        /// The command that installs it.
        command: String,
    },
    /// It was not asked.
    NotAsked {
        /// The variable that says so.
        because: &'static str,
    },
}

/// Asks for the newest release, unless that was done within a day, or a variable says not to.
///
/// # Errors
/// When the site does not answer.
pub(in crate::commands) fn ask() -> anyhow::Result<Newest> {
    if let Some(because) = config::no_update_check() {
        return Ok(Newest::NotAsked { because });
    }
    let version = match remembered() {
        Some(version) => version,
        None => {
            let version = Releases::new()?.newest()?;
            remember(&version);
            version
        }
    };
    if !releases::is_newer(&version, CURRENT) {
        return Ok(Newest::UpToDate { version });
    }
    let owner = owner::find(&program()?, &owner::ask);
    let command = owner.map_or("noetl self update".to_owned(), |owner| owner.update);
    Ok(Newest::Newer { version, command })
}

fn path() -> Option<PathBuf> {
    Some(config::home().ok()?.join("newest-release.json"))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| it.as_secs())
}

/// Returns the answer of the last day, if it is of the same site. A time ahead of the clock is not valid.
fn remembered() -> Option<String> {
    let answer: Answer = serde_json::from_slice(&fs::read(path()?).ok()?).ok()?;
    let age = now().checked_sub(answer.asked)?;
    let is_valid = age < DAY.as_secs() && answer.mirror == config::download_url();
    is_valid.then_some(answer.version)
}

/// Keeps the answer. Where that is not possible, the next call asks again.
fn remember(version: &str) {
    let answer = Answer {
        asked: now(),
        version: version.to_owned(),
        mirror: config::download_url(),
    };
    let (Some(path), Ok(text)) = (path(), serde_json::to_vec(&answer)) else {
        return;
    };
    if let Some(folder) = path.parent() {
        drop(fs::create_dir_all(folder));
    }
    drop(fs::write(path, text));
}
