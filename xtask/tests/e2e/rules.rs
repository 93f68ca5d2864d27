//! The rules for images and their mutants: on the shipped image, and in a real registry.

use std::fs;
use std::path::Path;

use camino::Utf8Path;
use noetl_oci::Layout;
use noetl_oci_mutants as mutants;
use serde_json::Value;

use crate::support::{Dist, engine, succeed, tool, xtask};

/// The mutants for NoETL's own rules.
#[path = "../../src/image/rules/mutants.rs"]
mod own;

/// A row of the table in docker/multi-arch-builds.md.
struct Row {
    rule: String,
    trips: Vec<String>,
    accepted: String,
}

/// Returns the rows of the rules that have a mutant.
fn table() -> Vec<Row> {
    let markdown = succeed(&mut xtask(&["image", "check", "--list", "--markdown"]));
    let rows = markdown.lines().skip(2).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let mut trips: Vec<String> = cells[4].split(", ").map(ToOwned::to_owned).collect();
        trips.sort_unstable();
        Row {
            rule: cells[0].to_owned(),
            trips,
            accepted: cells[5].to_owned(),
        }
    });
    let rows: Vec<_> = rows.filter(|row| row.accepted != "-").collect();
    assert!(rows.len() >= 51);
    rows
}

/// Applies `judge` to all rows in two threads. Returns its messages.
fn find_wrong(judge: impl Fn(&Row) -> Option<String> + Sync) -> Vec<String> {
    let rows = table();
    let (even, odd): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    std::thread::scope(|scope| {
        let threads = [even, odd].map(|half| {
            let judge = &judge;
            scope.spawn(move || {
                half.into_iter()
                    .filter_map(|(_, row)| judge(row))
                    .collect::<Vec<_>>()
            })
        });
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Writes a layout of the image, changed by the mutant of a rule.
fn break_rule(rule: &str, image: &Path, folder: &Path) {
    let clean = Layout::open(Utf8Path::from_path(image).unwrap()).unwrap();
    let general = mutants::all().map(|mutant| (mutant.rule.id, mutant.edit));
    let mut edits = own::EDITS.iter().copied().chain(general);
    let (_, edit) = edits.find(|(id, _)| *id == rule).unwrap();
    // All files of a tar are written, also Docker's manifest.json, which a layout in a folder does not have.
    for (name, blob) in edit.of(&clean).unwrap().files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, blob.read().unwrap()).unwrap();
    }
}

/// Returns the rules that an image breaks. Infos are not counted.
pub(crate) fn broken(image: &str, more: &[&str]) -> Vec<String> {
    let output = xtask(&["image", "check", "--json", image])
        .args(more)
        .output()
        .unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{image}: {error}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let errors = findings.iter().any(|it| it["severity"] == "error");
    assert_eq!(
        output.status.code(),
        Some(i32::from(errors)),
        "{image}: {findings:#?}"
    );
    let rules = findings.iter().filter(|it| it["severity"] != "info");
    let mut rules: Vec<_> = rules
        .map(|it| it["rule"].as_str().unwrap().to_owned())
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn every_mutant_of_the_shipped_image_breaks_its_rules() {
    let Some((image, _)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    // A tree with uncommitted changes breaks C6.
    let clean = broken(image.to_str().unwrap(), &[]);
    assert!(clean.is_empty() || clean == ["C6"], "{clean:?}");
    let wrong = find_wrong(|row| {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("broken");
        break_rule(&row.rule, &image, &folder);
        let mut found = broken(folder.to_str().unwrap(), &[]);
        found.retain(|rule| row.trips.contains(rule) || !clean.contains(rule));
        (found != row.trips).then(|| format!("{}: {found:?}, not {:?}", row.rule, row.trips))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn docker_registry_accepts_what_the_table_says() {
    let (Some(registry), Some((image, _))) = (engine(), Dist::find().and_then(|dist| dist.image()))
    else {
        return;
    };
    let whole = tempfile::tempdir().unwrap();
    let Some(mut tar) = tool("tar") else { return };
    succeed(tar.arg("-xf").arg(&image).arg("-C").arg(whole.path()));
    let repository = format!("rules-{}", std::process::id());
    let clean = Push::new(&registry, format!("{repository}/clean"), None);
    assert_eq!(clean.image(whole.path()), Ok(()));
    let wrong = find_wrong(|row| {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("broken");
        break_rule(&row.rule, &image, &folder);
        let own = format!("{repository}/{}", row.rule.to_lowercase());
        let base = Some((clean.repository.as_str(), whole.path()));
        let result = Push::new(&registry, own, base).image(&folder);
        let accepted = if result.is_ok() { "yes" } else { "no" };
        (accepted != row.accepted).then(|| format!("{}: {accepted} ({result:?})", row.rule))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A client that uploads files without checking them.
struct Push<'a> {
    agent: ureq::Agent,
    registry: &'a str,
    repository: String,
    /// A repository with the clean image, and its files; equal blobs are mounted from there.
    base: Option<(&'a str, &'a Path)>,
}

impl<'a> Push<'a> {
    fn new(registry: &'a str, repository: String, base: Option<(&'a str, &'a Path)>) -> Self {
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false);
        Self {
            agent: config.build().into(),
            registry,
            repository,
            base,
        }
    }

    /// Uploads blobs, then images, then the index under a tag. Returns the first refusal as an error.
    fn image(&self, layout: &Path) -> Result<(), String> {
        let root = &document(&layout.join("index.json"))["manifests"][0];
        let index_path = path(layout, root);
        let index = document(&index_path);
        let children: Vec<Value> = index["manifests"].as_array().unwrap().clone();
        let documents: Vec<_> = children
            .iter()
            .map(|it| path(layout, it))
            .chain([index_path.clone()])
            .collect();
        for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap().path();
            if !documents.contains(&blob) {
                self.blob(layout, &blob)?;
            }
        }
        for child in &children {
            let digest = child["digest"].as_str().unwrap();
            self.manifest(digest, child, &path(layout, child))?;
        }
        self.manifest("mutant", root, &index_path)
    }

    fn blob(&self, layout: &Path, blob: &Path) -> Result<(), String> {
        let digest = format!("sha256:{}", blob.file_name().unwrap().to_str().unwrap());
        let bytes = fs::read(blob).unwrap();
        let mut start = format!(
            "http://{}/v2/{}/blobs/uploads/",
            self.registry, self.repository
        );
        if let Some((from, whole)) = self.base {
            let same = whole.join(blob.strip_prefix(layout).unwrap());
            if fs::read(same).is_ok_and(|same| same == bytes) {
                start.push_str(&format!("?mount={digest}&from={from}"));
            }
        }
        let started = self.agent.post(&start).send_empty().unwrap();
        if started.status() == 201 {
            return Ok(());
        }
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let joint = if location.contains('?') { '&' } else { '?' };
        let put = self.agent.put(format!("{location}{joint}digest={digest}"));
        let answer = put
            .header("content-type", "application/octet-stream")
            .send(&bytes[..]);
        accepted(answer.unwrap(), &digest)
    }

    fn manifest(&self, name: &str, descriptor: &Value, file: &Path) -> Result<(), String> {
        let url = format!(
            "http://{}/v2/{}/manifests/{name}",
            self.registry, self.repository
        );
        let media_type = descriptor["mediaType"].as_str().unwrap();
        let put = self.agent.put(url).header("content-type", media_type);
        accepted(put.send(&fs::read(file).unwrap()[..]).unwrap(), name)
    }
}

fn accepted(mut answer: ureq::http::Response<ureq::Body>, name: &str) -> Result<(), String> {
    if answer.status() == 201 {
        return Ok(());
    }
    let status = answer.status();
    Err(format!(
        "{name}: {status} {}",
        answer.body_mut().read_to_string().unwrap()
    ))
}

fn document(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn path(layout: &Path, descriptor: &Value) -> std::path::PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    layout.join("blobs").join(digest.replace(':', "/"))
}
