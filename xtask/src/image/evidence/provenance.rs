//! How an image was made, as SLSA provenance v1 in an in-toto statement (slsa.dev/provenance/v1).
//!
//! It holds no time: the commit has one, and the same commit gives the same statement.

use noetl_oci::annotation::{BASE_DIGEST, BASE_NAME};
use noetl_oci::{Annotations, Image, Sha256};
use serde_json::{Value, json};

use crate::release::version::Release;

/// What `buildType` names: the section of the guide that says what the parameters mean.
const BUILD_TYPE: &str =
    "https://github.com/noetl/noetl/blob/main/docker/multi-arch-builds.md#provenance";
/// Where the sources are.
const REPOSITORY: &str = "git+https://github.com/noetl/noetl";
/// The builder on a person's own machine, which proves nothing.
const LOCAL: &str =
    "https://github.com/noetl/noetl/blob/main/docker/multi-arch-builds.md#local-builds";

/// Who runs the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Builder {
    /// The workflow that runs, as a URL; absent on a person's own machine.
    pub workflow: Option<String>,
    /// The run of it, as a URL.
    pub run: Option<String>,
}

/// A file of the repository that decides what is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// Its path.
    pub path: &'static str,
    /// Its hash.
    pub sha256: Sha256,
    /// The packages that it pins by version and hash, as package URLs; of lockfiles, none.
    pub pins: Vec<String>,
}

/// Writes the statement about an image under a name without its tag.
pub(crate) fn write(
    release: &Release,
    name: &str,
    image: &Image,
    flavour: &str,
    inputs: &[Input],
    builder: &Builder,
) -> anyhow::Result<Vec<u8>> {
    let root = image.root()?;
    let digest = |oci: &str| oci.strip_prefix("sha256:").unwrap_or(oci).to_owned();
    let subject =
        |name: String, oci: &str| json!({ "name": name, "digest": { "sha256": digest(oci) } });
    let mut subjects = vec![subject(name.to_owned(), &root.digest)];
    let mut platforms = Vec::new();
    for image in image.runnable() {
        let platform = image.platform().map(|platform| platform.to_string());
        let platform = platform.unwrap_or_else(|| image.name());
        let digest = &image.descriptor.digest;
        if *digest != root.digest {
            subjects.push(subject(format!("{name} {platform}"), digest));
        }
        platforms.push(platform);
    }
    let bases = bases(image);
    let base_names: Vec<&Value> = bases.iter().map(|base| &base["name"]).collect();
    let mut dependencies = vec![source(release)];
    dependencies.extend(bases.clone());
    dependencies.extend(inputs.iter().map(input));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "base": if base_names.is_empty() { json!("scratch") } else { json!(base_names) },
                    "flavour": flavour,
                    "platforms": platforms,
                    "version": release.version,
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": run_details(release, builder),
        },
    });
    Ok(noetl_oci::encode(&statement))
}

fn source(release: &Release) -> Value {
    let commit = release.commit.trim_end_matches("-dirty");
    let mut source = json!({ "uri": REPOSITORY, "digest": { "gitCommit": commit } });
    if release.is_dirty() {
        source["annotations"] = json!({ "dirty": true });
    }
    source
}

/// Returns its base images, as its own annotations say (image-spec, annotations.md), once each.
fn bases(image: &Image) -> Vec<Value> {
    let manifests = image
        .platforms
        .iter()
        .filter_map(|image| image.manifest.as_ref());
    let of_images = manifests.map(|manifest| &manifest.value.annotations);
    let indexes = image.indexes.iter();
    let of_indexes = indexes.map(|index| &index.document.value.annotations);
    let mut bases: Vec<Value> = Vec::new();
    for annotations in of_images.chain(of_indexes) {
        let base = base(annotations);
        bases.extend(base.filter(|base| !bases.contains(base)));
    }
    bases
}

fn base(annotations: &Annotations) -> Option<Value> {
    let sha256 = annotations.get(BASE_DIGEST)?.strip_prefix("sha256:")?;
    let name = annotations.get(BASE_NAME).map_or("base", String::as_str);
    Some(json!({ "name": name, "digest": { "sha256": sha256 } }))
}

fn input(input: &Input) -> Value {
    let mut dependency = json!({
        "name": input.path,
        "uri": format!("{REPOSITORY}#{}", input.path),
        "digest": { "sha256": input.sha256.to_string() },
    });
    if !input.pins.is_empty() {
        dependency["annotations"] = json!({ "pins": input.pins });
    }
    dependency
}

fn run_details(release: &Release, builder: &Builder) -> Value {
    let id = builder.workflow.as_deref().unwrap_or(LOCAL);
    let mut details = json!({
        "builder": { "id": id, "version": { "xtask": release.version } },
    });
    if let Some(run) = &builder.run {
        details["metadata"] = json!({ "invocationId": run });
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn statement(release: &Release, change: impl Fn(&mut Image), builder: &Builder) -> Value {
        let layout = fixtures::image();
        let mut image = Image::read(&layout).unwrap();
        change(&mut image);
        let inputs = [Input {
            path: "xtask/pins/ziglang.txt",
            sha256: Sha256::of(b"pins"),
            pins: vec!["pkg:pypi/ziglang@1".into()],
        }];
        let written = write(
            release,
            "ghcr.io/noetl/noetl",
            &image,
            "plain",
            &inputs,
            builder,
        )
        .unwrap();
        serde_json::from_slice(&written).unwrap()
    }

    #[test]
    fn the_statement_is_of_the_index_and_each_platform() {
        let release = fixtures::release();
        let said = statement(&release, |_| {}, &Builder::default());
        let names: Vec<_> = said["subject"]
            .as_array()
            .unwrap()
            .iter()
            .map(|subject| subject["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "ghcr.io/noetl/noetl",
                "ghcr.io/noetl/noetl linux/amd64",
                "ghcr.io/noetl/noetl linux/arm64/v8"
            ]
        );
        let definition = &said["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["base"], "scratch");
        assert_eq!(definition["externalParameters"]["flavour"], "plain");
        let dependencies = definition["resolvedDependencies"].as_array().unwrap();
        assert_eq!(dependencies[0]["digest"]["gitCommit"], release.commit);
        assert_eq!(dependencies[0]["annotations"], Value::Null);
        assert_eq!(
            dependencies[1]["annotations"]["pins"][0],
            "pkg:pypi/ziglang@1"
        );
        assert_eq!(said["predicate"]["runDetails"]["builder"]["id"], LOCAL);
        assert!(!said.to_string().contains("startedOn"));
    }

    #[test]
    fn a_base_a_dirty_tree_and_a_workflow_are_recorded() {
        let dirty = Release {
            commit: format!("{}-dirty", fixtures::release().commit),
            ..fixtures::release()
        };
        let builder = Builder {
            workflow: Some("https://example.org/w".into()),
            run: Some("https://example.org/w/1".into()),
        };
        let base = |image: &mut Image| {
            for platform in &mut image.platforms {
                let annotations = &mut platform.manifest.as_mut().unwrap().value.annotations;
                let name = "docker.io/library/python:3.12-slim";
                annotations.insert(BASE_NAME.to_owned(), name.to_owned());
                annotations.insert(BASE_DIGEST.to_owned(), "sha256:ba5e".to_owned());
            }
        };
        let said = statement(&dirty, base, &builder);
        let definition = &said["predicate"]["buildDefinition"];
        let dependencies = definition["resolvedDependencies"].as_array().unwrap();
        assert_eq!(
            dependencies[0]["digest"]["gitCommit"],
            fixtures::release().commit
        );
        assert_eq!(dependencies[0]["annotations"]["dirty"], true);
        assert_eq!(dependencies[1]["digest"]["sha256"], "ba5e");
        assert_eq!(dependencies.len(), 3, "the two platforms have one base");
        assert_eq!(
            definition["externalParameters"]["base"][0],
            "docker.io/library/python:3.12-slim"
        );
        let details = &said["predicate"]["runDetails"];
        assert_eq!(details["builder"]["id"], "https://example.org/w");
        assert_eq!(
            details["metadata"]["invocationId"],
            "https://example.org/w/1"
        );
    }
}
