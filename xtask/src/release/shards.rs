//! Shards: the parts of a dist that several machines build.
//!
//! A shard is a folder with the binaries of some targets and `shard.json`. Packing depends only on release, web page and
//! binaries, so that the joined shards give the same bytes as a build on one machine.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;
use noetl_oci::Sha256;
use serde::{Deserialize, Serialize};

use crate::host::files;
use crate::release::cargo::Binary;
use crate::release::plan::Plan;
use crate::release::target::Target;
use crate::release::version::Release;

/// The name of the file that describes a shard's folder.
pub(crate) const FILE_NAME: &str = "shard.json";

/// The number of a shard and how many there are: `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    index: usize,
    /// At least `index`.
    count: usize,
}

/// The content of `shard.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The version of this format; 1.
    schema: u32,
    /// The number of the shard, such as `2/3`.
    shard: String,
    /// Version, tag, commit and time of the sources.
    pub(crate) release: Release,
    /// The targets of all shards, in the order of the list of targets.
    pub(crate) targets: Vec<String>,
    /// The hash of the web page in its binaries.
    ui_sha256: Sha256,
    /// Its binaries by target.
    binaries: BTreeMap<String, File>,
    /// The duration of its steps in seconds, only for the summary.
    pub(crate) seconds: Vec<(String, f64)>,
}

/// A binary in a shard's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The name in the folder.
    name: String,
    /// The SHA-256 of the content.
    sha256: Sha256,
}

/// The binaries of all shards.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The binaries in the shards' folders, in the order of the plan.
    pub(crate) binaries: Vec<Binary>,
    /// The hash of the web page in all of them.
    pub(crate) ui_sha256: Sha256,
    /// The `shard.json` of each shard, in order.
    pub(crate) records: Vec<Record>,
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = |(index, count): (&str, &str)| Some((index.parse().ok()?, count.parse().ok()?));
        let shard = text.split_once('/').and_then(parse);
        let shard = shard.map(|(index, count)| Self { index, count });
        shard
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .with_context(|| format!("`{text}` is not a shard; write 1/3, 2/3 or 3/3"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Makes the shard with this number, from 1, of `count`.
    pub(crate) fn new(index: usize, count: usize) -> Self {
        Self { index, count }
    }

    /// Returns its targets, which are every `count`-th one. Neighbours in the list are similar, so that all shards take the
    /// same time.
    ///
    /// # Errors
    /// When there are more shards than targets.
    pub(crate) fn of<T: Copy>(self, targets: &[T]) -> anyhow::Result<Vec<T>> {
        let (shards, all) = (self.count, targets.len());
        if shards > all {
            let error = anyhow!("{shards} shards for {all} targets: some build nothing");
            return Err(error).help("use at most one shard per target");
        }
        let own = targets.iter().skip(self.index - 1).step_by(self.count);
        Ok(own.copied().collect())
    }
}

/// Writes the folder of a shard, completely or not at all.
pub(crate) fn write(
    shard: Shard,
    whole: &Plan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    seconds: Vec<(String, f64)>,
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let unfinished = folder.with_extension("part");
    files::remove(&unfinished)?;
    let mut listed = BTreeMap::new();
    for built in binaries {
        let bytes = files::read(&built.path)?;
        let name = format!("{}-{}", built.target.triple, built.target.binary_name());
        let sha256 = Sha256::of(&bytes);
        files::write(&unfinished.join(&name), bytes)?;
        listed.insert(built.target.triple.to_owned(), File { name, sha256 });
    }
    let record = Record {
        schema: 1,
        shard: shard.to_string(),
        release: whole.release.clone(),
        targets: triples(&whole.targets),
        ui_sha256,
        binaries: listed,
        seconds,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&record)?);
    files::write(&unfinished.join(FILE_NAME), text)?;
    files::swap_folder(&unfinished, folder)
}

/// Reads the shards in `folders`. Each folder is that of a shard, or contains the folders of shards.
///
/// # Errors
/// When a file differs from its hash in `shard.json`.
pub(crate) fn read(folders: &[Utf8PathBuf]) -> anyhow::Result<Vec<(Utf8PathBuf, Record)>> {
    let mut shards = Vec::new();
    for folder in folders {
        let mut found = vec![folder.clone()];
        if !folder.join(FILE_NAME).is_file() {
            let cannot = || format!("cannot list {folder}");
            let entries = folder.read_dir_utf8().with_context(cannot)?;
            let paths = entries.map(|entry| entry.map(|entry| entry.into_path()));
            found = paths.collect::<Result<_, _>>().with_context(cannot)?;
            found.retain(|folder| folder.join(FILE_NAME).is_file());
            found.sort();
        }
        ensure!(!found.is_empty(), "{folder} contains no {FILE_NAME}");
        for folder in found {
            let record = read_one(&folder).with_context(|| format!("{folder} is not a shard"))?;
            shards.push((folder, record));
        }
    }
    Ok(shards)
}

fn read_one(folder: &Utf8Path) -> anyhow::Result<Record> {
    let record: Record = serde_json::from_slice(&files::read(&folder.join(FILE_NAME))?)
        .with_context(|| format!("cannot read its {FILE_NAME}"))?;
    ensure!(record.schema == 1, "schema {} is not 1", record.schema);
    for (target, file) in &record.binaries {
        let (name, expected) = (&file.name, file.sha256);
        ensure!(!name.contains(['/', '\\']), "`{name}` is not in the folder");
        let sha256 = Sha256::of(&files::read(&folder.join(name))?);
        ensure!(
            sha256 == expected,
            "{name} ({target}) is not what was built: {sha256}, not {expected}"
        );
    }
    Ok(record)
}

/// Joins all shards of a run.
///
/// # Errors
/// When they have different releases, web pages or targets, or when one is missing or given twice.
pub(crate) fn join(plan: &Plan, mut shards: Vec<(Utf8PathBuf, Record)>) -> anyhow::Result<Joined> {
    let help = "give each shard of one run once, built from this commit";
    shards.sort_by(|(_, one), (_, other)| one.shard.cmp(&other.shard));
    let mut binaries = BTreeMap::new();
    let (_, first) = shards.first().context("no shard to merge")?;
    let (ui_sha256, expected) = (first.ui_sha256, triples(&plan.targets));
    for (folder, record) in &shards {
        for (what, is_same) in [
            ("release", record.release == plan.release),
            ("list of targets", record.targets == expected),
            ("web page", record.ui_sha256 == ui_sha256),
        ] {
            if !is_same {
                return Err(anyhow!("{folder}: its {what} differs")).help(help);
            }
        }
        for (triple, file) in &record.binaries {
            let target = Target::find(triple);
            let target = target.with_context(|| format!("{folder}: unknown target {triple}"))?;
            let path = folder.join(&file.name);
            let known = binaries.insert(target.triple, Binary { target, path });
            if known.is_some() {
                let error = anyhow!("{folder}: another shard has built {triple}, too");
                return Err(error).help(help);
            }
        }
    }
    let ordered = plan.targets.iter().map(|target| {
        let built = binaries.remove(target.triple);
        let built = built.with_context(|| format!("no shard has built {}", target.triple));
        built.help(help)
    });
    let ordered = ordered.collect::<anyhow::Result<_>>()?;
    if let Some(triple) = binaries.into_keys().next() {
        bail!("{triple} is not a target of the run");
    }
    let records = shards.into_iter().map(|(_, record)| record);
    Ok(Joined {
        binaries: ordered,
        ui_sha256,
        records: records.collect(),
    })
}

fn triples(targets: &[&Target]) -> Vec<String> {
    let triples = targets.iter().map(|target| target.triple.to_owned());
    triples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Writes the two shards of a Linux dist; returns the plan and a folder with both shards.
    fn shards(guard: &tempfile::TempDir) -> (Plan, Utf8PathBuf) {
        let root = Utf8Path::from_path(guard.path()).unwrap();
        let plan = fixtures::linux_plan();
        for index in [1, 2] {
            let shard = Shard::new(index, 2);
            let built = shard.of(&plan.targets).unwrap().into_iter().map(|target| {
                let path = root.join(format!("build-{}", target.triple));
                files::write(&path, target.triple).unwrap();
                Binary { target, path }
            });
            let built: Vec<_> = built.collect();
            let out = root.join(format!("shards/{index}-2"));
            write(shard, &plan, &built, Sha256::of(b"page"), Vec::new(), &out).unwrap();
        }
        (plan, root.join("shards"))
    }

    #[test]
    fn every_target_is_in_exactly_one_shard() {
        let targets: Vec<usize> = (0..6).collect();
        for count in 1..=6 {
            let parts = (1..=count).map(|index| Shard { index, count }.of(&targets).unwrap());
            let mut all: Vec<_> = parts.flatten().collect();
            all.sort_unstable();
            assert_eq!(all, targets, "{count}");
        }
        assert!(Shard { index: 1, count: 7 }.of(&targets).is_err());
        for text in ["0/3", "4/3", "3", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn joined_shards_are_in_the_order_of_the_plan() {
        let guard = tempfile::tempdir().unwrap();
        let (plan, folder) = shards(&guard);
        let by_name = [folder.join("2-2"), folder.join("1-2")];
        let joined = join(&plan, read(&[folder]).unwrap()).unwrap();
        let order: Vec<_> = joined.binaries.iter().map(|built| built.target).collect();
        assert_eq!(order, plan.targets);
        let named = join(&plan, read(&by_name).unwrap()).unwrap();
        assert_eq!(named.binaries, joined.binaries);
    }

    #[test]
    fn shards_of_different_builds_are_refused() {
        let guard = tempfile::tempdir().unwrap();
        let (plan, all) = shards(&guard);
        let refused = |plan: &Plan, folders: &[&Utf8PathBuf], message: &str| {
            let folders: Vec<_> = folders.iter().copied().cloned().collect();
            let joined = read(&folders).and_then(|shards| join(plan, shards));
            let error = format!("{:#}", joined.unwrap_err());
            assert!(error.contains(message), "{error}");
        };
        let (one, two) = (&all.join("1-2"), &all.join("2-2"));
        refused(&plan, &[one], "no shard has built");
        refused(&plan, &[one, one, two], "another shard has built");
        let mut later = plan.clone();
        later.release.commit = "f".repeat(40);
        refused(&later, &[&all], "its release differs");
        let record = files::read_to_string(&two.join(FILE_NAME)).unwrap();
        let [page, other] = [b"page".as_slice(), b"x"].map(|it| Sha256::of(it).to_string());
        files::write(&two.join(FILE_NAME), record.replace(&page, &other)).unwrap();
        refused(&plan, &[&all], "its web page differs");
        files::write(&one.join(format!("{}-noetl", plan.targets[0].triple)), "x").unwrap();
        refused(&plan, &[&all], "not what was built");
    }
}
