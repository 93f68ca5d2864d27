//! A dist that several machines build: which targets are whose, and what each hands over.
//!
//! A shard is a folder with one binary per target and `shard.json`. Packing is a pure function of
//! release, page and binaries, so the joined parts make the very bytes that one machine makes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;
use noetl_oci::Sha256;
use serde::{Deserialize, Serialize};

use crate::host::files;
use crate::release::cargo::Binary;
use crate::release::plan::Plan;
use crate::release::target::Target;
use crate::release::version::Release;

/// The file that says what a shard's folder holds.
pub(crate) const FILE_NAME: &str = "shard.json";

/// One part of several: `2/3` is the second of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    index: usize,
    /// At least `index`.
    count: usize,
}

/// `shard.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Layout of this object; 1.
    schema: u32,
    /// Which part it is, such as `2/3`.
    shard: String,
    /// Version, tag, commit and time of the checkout it was built from.
    pub(crate) release: Release,
    /// Every target of the whole, in the order of the one target list.
    pub(crate) targets: Vec<String>,
    /// Hash of the web page that its binaries embed.
    ui_sha256: Sha256,
    /// What it built, by target.
    binaries: BTreeMap<String, File>,
    /// How long its steps took, in seconds; for the summary alone.
    pub(crate) seconds: Vec<(String, f64)>,
}

/// A binary in a shard's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Its name in the folder.
    name: String,
    /// SHA-256 of its content.
    sha256: Sha256,
}

/// What all shards together built.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The binaries, in the plan's order, where the shards' folders hold them.
    pub(crate) binaries: Vec<Binary>,
    /// The page that all of them embed.
    pub(crate) ui_sha256: Sha256,
    /// What each shard says of itself, in order.
    pub(crate) records: Vec<Record>,
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let shard = numbers.map(|(index, count)| Self { index, count });
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
    /// Makes the `index`-th of `count`, from 1.
    pub(crate) fn new(index: usize, count: usize) -> Self {
        Self { index, count }
    }

    /// Returns every `count`-th target: neighbours in the list are alike, so that the parts take the same time.
    ///
    /// # Errors
    /// When there are more shards than targets.
    pub(crate) fn of<T: Copy>(self, targets: &[T]) -> anyhow::Result<Vec<T>> {
        let (shards, all) = (self.count, targets.len());
        if shards > all {
            return Err(anyhow!(
                "{shards} shards for {all} targets: some would build nothing"
            ))
            .help("take at most one shard per target");
        }
        let own = targets.iter().skip(self.index - 1).step_by(self.count);
        Ok(own.copied().collect())
    }
}

/// Writes what a shard built into a folder, whole or not at all.
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

/// Reads the shards in `folders`, each a shard's own folder or one that holds several.
///
/// # Errors
/// When a file is not what its shard recorded.
pub(crate) fn read(folders: &[Utf8PathBuf]) -> anyhow::Result<Vec<(Utf8PathBuf, Record)>> {
    let mut shards = Vec::new();
    for folder in folders {
        let mut found = Vec::new();
        if folder.join(FILE_NAME).is_file() {
            found.push(folder.clone());
        } else {
            let entries = folder
                .read_dir_utf8()
                .with_context(|| format!("cannot list {folder}"))?;
            for entry in entries {
                found.push(
                    entry
                        .with_context(|| format!("cannot list {folder}"))?
                        .into_path(),
                );
            }
            found.retain(|folder| folder.join(FILE_NAME).is_file());
            found.sort();
        }
        ensure!(!found.is_empty(), "{folder} holds no {FILE_NAME}");
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
        ensure!(
            !file.name.contains(['/', '\\']),
            "`{}` leaves the folder",
            file.name
        );
        let sha256 = Sha256::of(&files::read(&folder.join(&file.name))?);
        ensure!(
            sha256 == file.sha256,
            "{} ({target}) is not what was built: {sha256}, not {}",
            file.name,
            file.sha256
        );
    }
    Ok(record)
}

/// Joins all shards of one run.
///
/// # Errors
/// When they are of different releases, pages or runs, or when one is missing or there twice.
pub(crate) fn join(plan: &Plan, mut shards: Vec<(Utf8PathBuf, Record)>) -> anyhow::Result<Joined> {
    let help = "take every shard of one run, each once, built from this very commit";
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
            let target = Target::find(triple)
                .with_context(|| format!("{folder}: unknown target {triple}"))?;
            let path = folder.join(&file.name);
            let known = binaries.insert(target.triple, Binary { target, path });
            if known.is_some() {
                let twice = anyhow!("{folder}: {triple} was built by another shard too");
                return Err(twice).help(help);
            }
        }
    }
    let mut ordered = Vec::new();
    for target in &plan.targets {
        let built = binaries.remove(target.triple);
        let built = built.with_context(|| format!("no shard built {}", target.triple));
        ordered.push(built.help(help)?);
    }
    let stray = binaries.into_keys().next();
    ensure!(
        stray.is_none(),
        "{} is not a target of the run",
        stray.unwrap_or_default()
    );
    Ok(Joined {
        binaries: ordered,
        ui_sha256,
        records: shards.into_iter().map(|(_, record)| record).collect(),
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

    fn folder(guard: &tempfile::TempDir) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap()
    }

    /// Both halves of the Linux dist below `root`.
    fn halves(root: &Utf8Path) -> Plan {
        let plan = fixtures::linux_plan();
        for half in ["1/2", "2/2"] {
            let shard: Shard = half.parse().unwrap();
            let built: Vec<_> = shard
                .of(&plan.targets)
                .unwrap()
                .into_iter()
                .map(|target| {
                    let path = root.join(format!("build-{}", target.triple));
                    files::write(&path, target.triple).unwrap();
                    Binary { target, path }
                })
                .collect();
            let out = root.join("shards").join(half.replace('/', "-"));
            write(shard, &plan, &built, Sha256::of(b"page"), Vec::new(), &out).unwrap();
        }
        plan
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
    fn shards_of_one_run_join_in_the_plans_order() {
        let guard = tempfile::tempdir().unwrap();
        let root = folder(&guard);
        let plan = halves(&root);
        let joined = join(&plan, read(&[root.join("shards")]).unwrap()).unwrap();
        let order: Vec<_> = joined.binaries.iter().map(|built| built.target).collect();
        assert_eq!(order, plan.targets);
        let by_name = [root.join("shards/2-2"), root.join("shards/1-2")];
        assert_eq!(
            join(&plan, read(&by_name).unwrap()).unwrap().binaries,
            joined.binaries
        );
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let guard = tempfile::tempdir().unwrap();
        let root = folder(&guard);
        let plan = halves(&root);
        let refused = |plan: &Plan, folders: &[Utf8PathBuf]| {
            let joined = read(folders).and_then(|shards| join(plan, shards));
            format!("{:#}", joined.unwrap_err())
        };
        let (one, two) = (root.join("shards/1-2"), root.join("shards/2-2"));
        assert!(refused(&plan, std::slice::from_ref(&one)).contains("no shard built"));
        assert!(refused(&plan, &[one.clone(), one.clone(), two.clone()]).contains("another shard"));
        let mut later = plan.clone();
        later.release.commit = "f".repeat(40);
        assert!(refused(&later, &[root.join("shards")]).contains("its release differs"));
        let record = files::read_to_string(&two.join(FILE_NAME)).unwrap();
        let other = record.replace(
            &Sha256::of(b"page").to_string(),
            &Sha256::of(b"x").to_string(),
        );
        files::write(&two.join(FILE_NAME), other).unwrap();
        assert!(refused(&plan, &[root.join("shards")]).contains("its web page differs"));
        files::write(&one.join(format!("{}-noetl", plan.targets[0].triple)), "x").unwrap();
        assert!(refused(&plan, &[root.join("shards")]).contains("not what was built"));
    }
}
