//! What a release changes in the checkout: the version, the changelog and the commit of both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use cargo_metadata::semver::Version;
use jiff::Timestamp;
use noetl_help::Help as _;
use serde::Serialize;

use crate::host::ctx::Ctx;
use crate::host::{files, git, output};
use crate::publish::inputs;
use crate::release::bump::{self, Wanted};
use crate::release::{changelog, crates, workspace};
use crate::tasks::release::MakeArgs;

/// The version that is released, and what the checkout lacks for it.
#[derive(Debug, Serialize)]
pub(super) struct Preparation {
    /// The version that stands in Cargo.toml.
    pub current: Version,
    /// The version that is released.
    pub version: Version,
    /// The newest tag before it.
    pub previous: Option<String>,
    /// Whether it is newer than every release, and no pre-release.
    pub is_newest: bool,
    /// The section of the changelog, in Markdown.
    pub changelog: String,
    /// Whether the commit that is checked out has the version and its section.
    pub is_committed: bool,
    /// The files that change, with their new text.
    #[serde(serialize_with = "paths")]
    files: BTreeMap<String, String>,
}

fn paths<S: serde::Serializer>(files: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(files.keys())
}

/// Returns the versions that have a tag in this checkout.
pub(super) fn tagged(ctx: &Ctx) -> anyhow::Result<BTreeSet<Version>> {
    let tags = git::read(ctx, &["tag", "--list", "v*"])?;
    let versions = tags
        .lines()
        .filter_map(|tag| Version::parse(tag.strip_prefix('v')?).ok());
    Ok(versions.collect())
}

impl Preparation {
    /// Decides the version and writes the changes that it needs, in memory.
    ///
    /// # Errors
    /// When a word is no version, or a file lacks the version.
    pub(super) fn plan(ctx: &Ctx, args: &MakeArgs) -> anyhow::Result<Self> {
        let current = workspace::version(ctx)?;
        let current =
            Version::parse(&current).with_context(|| format!("Cargo.toml says {current}"))?;
        let wanted = args.version.clone().unwrap_or(Wanted::Current);
        // Without a word it is the version as it stands; `--pre` counts from it.
        let version = match (&wanted, &args.pre) {
            (Wanted::Current, None) => current.clone(),
            (wanted, pre) => bump::next(&current, wanted, pre.as_deref())?,
        };
        let tagged = tagged(ctx)?;
        let previous = tagged
            .iter()
            .rfind(|it| **it < version)
            .map(|it| format!("v{it}"));
        let released = tagged
            .iter()
            .filter(|it| it.pre.is_empty() && **it != version);
        let is_newest = version.pre.is_empty() && released.max().is_none_or(|it| *it < version);
        let path = ctx.root.join(changelog::PATH);
        let text = files::read_to_string(&path)?;
        let mut files = match version == current {
            true => BTreeMap::new(),
            false => {
                let packages = crates::members(ctx)?;
                bump::rewritten(&ctx.root, &current, &version, &packages)?
            }
        };
        let known = changelog::section(&text, &version.to_string());
        let section = match known {
            Some(section) => section,
            None => {
                let section = unreleased(ctx, &text, previous.as_deref())?;
                // What a night's build has stays unreleased.
                let is_kept = args.as_it_is || section.is_empty() || inputs::is_nightly(&version);
                if !is_kept {
                    let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
                    let text = changelog::released(&text, &version.to_string(), &date, &section)?;
                    files.insert(changelog::PATH.to_owned(), text);
                }
                section
            }
        };
        let section = match section.is_empty() && inputs::is_nightly(&version) {
            true => "Nothing is listed since the last release.".to_owned(),
            false => section,
        };
        Ok(Self {
            is_committed: files.is_empty(),
            current,
            version,
            previous,
            is_newest,
            changelog: section,
            files,
        })
    }

    /// Returns the tag.
    pub(super) fn tag(&self) -> String {
        format!("v{}", self.version)
    }

    /// Returns the text of the release at GitHub, in Markdown.
    pub(super) fn notes(&self) -> String {
        let tag = self.tag();
        format!(
            "{}\n\n## Check it\n\n```sh\ngh release verify {tag}\nsha256sum -c --ignore-missing SHA256SUMS\n\
             cargo xtask release verify {tag}   # in a clone: every file, every registry\n```\n",
            self.changelog
        )
    }

    /// Describes the changes to the checkout.
    pub(super) fn describe(&self) -> String {
        let previous = self.previous.as_deref().unwrap_or("nothing");
        let mut text = format!(
            "NoETL {}, after {previous}\n\n{}\n",
            self.version, self.changelog
        );
        if !self.is_committed {
            let files: Vec<_> = self.files.keys().map(String::as_str).collect();
            text.push_str(&format!("\nA commit changes {}\n", files.join(", ")));
        }
        text
    }

    /// Commits the changes, if there are any.
    ///
    /// # Errors
    /// When a file cannot be written or git refuses; the files are then as they were.
    pub(super) fn commit(&self, ctx: &Ctx) -> anyhow::Result<()> {
        if self.is_committed {
            return Ok(());
        }
        output::step(ctx, &format!("commit version {}", self.version), || {
            for (path, text) in &self.files {
                files::write(&ctx.root.join(path), text)?;
            }
            let mut words = vec!["commit", "--quiet", "--message"];
            let message = format!("Release {}", self.version);
            words.extend([message.as_str(), "--"]);
            words.extend(self.files.keys().map(String::as_str));
            let committed = git::read(ctx, &words);
            if committed.is_err() {
                let mut back = vec!["checkout", "--quiet", "HEAD", "--"];
                back.extend(self.files.keys().map(String::as_str));
                git::read(ctx, &back)?;
            }
            committed
                .map(drop)
                .help("git has to know who commits: git config user.name and user.email")
        })
    }
}

/// Returns what is under `Unreleased`, and what the conventional commits since the last tag add.
fn unreleased(ctx: &Ctx, text: &str, previous: Option<&str>) -> anyhow::Result<String> {
    let mut section = changelog::unreleased(text);
    let range = previous.map_or("HEAD".to_owned(), |tag| format!("{tag}..HEAD"));
    let log = git::read(ctx, &["log", "--no-merges", "--format=%s", &range])?;
    let subjects: Vec<_> = log.lines().map(str::to_owned).collect();
    for line in changelog::of_commits(&subjects, &section) {
        if !section.is_empty() {
            section.push('\n');
        }
        section.push_str(&line);
    }
    Ok(section)
}
