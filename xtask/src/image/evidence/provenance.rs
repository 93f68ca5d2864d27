//! How an image was made, as SLSA provenance v1 in an in-toto statement (slsa.dev/provenance/v1).
//!
//! It has no time, so that the same commit gives the same statement.

use noetl_oci::annotation::{BASE_DIGEST, BASE_NAME};
use noetl_oci::{Annotations, Image, Sha256};
use serde_json::{Value, json};

use crate::release::version::Release;

/// The value of `buildType`: the section of the guide that describes the parameters.
const BUILD_TYPE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docker/multi-arch-builds.md#provenance"
);
/// The sources.
const REPOSITORY: &str = concat!("git+", env!("CARGO_PKG_REPOSITORY"));
/// The builder outside of GitHub Actions, which proves nothing.
const LOCAL: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docker/multi-arch-builds.md#local-builds"
);

/// A file of the repository that decides what is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// Its path.
    pub path: &'static str,
    /// Its hash.
    pub sha256: Sha256,
    /// The package URLs that it pins by version and hash; none for lockfiles.
    pub pins: Vec<String>,
}

/// Returns the statement about an image under a name without its tag. `workflow` has the URLs of the workflow that
/// builds it and of the run; it is `None` outside of GitHub Actions.
pub(crate) fn write(
    release: &Release,
    name: &str,
    image: &Image,
    flavour: &str,
    inputs: &[Input],
    workflow: Option<(String, String)>,
) -> anyhow::Result<Vec<u8>> {
    let root = image.root()?;
    let subject = |name: &str, oci: &str| {
        let digest = oci.trim_start_matches("sha256:");
        json!({ "name": name, "digest": { "sha256": digest } })
    };
    let mut subjects = vec![subject(name, &root.digest)];
    let mut platforms = Vec::new();
    for image in image.runnable() {
        let platform = image.platform().map(|platform| platform.to_string());
        let platform = platform.unwrap_or_else(|| image.name());
        let digest = &image.descriptor.digest;
        if *digest != root.digest {
            subjects.push(subject(&format!("{name} {platform}"), digest));
        }
        platforms.push(platform);
    }
    let bases = bases(image);
    let names: Vec<_> = bases.iter().map(|base| base["name"].clone()).collect();
    let base = if names.is_empty() {
        json!("scratch")
    } else {
        json!(names)
    };
    let mut dependencies = vec![source(release)];
    dependencies.extend(bases);
    dependencies.extend(inputs.iter().map(input));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "base": base,
                    "flavour": flavour,
                    "platforms": platforms,
                    "version": release.version,
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": run_details(release, workflow),
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

/// Returns the base images in the image's annotations (image-spec, annotations.md), once each.
fn bases(image: &Image) -> Vec<Value> {
    let manifests = image.platforms.iter().filter_map(|it| it.manifest.as_ref());
    let of_images = manifests.map(|manifest| &manifest.value.annotations);
    let indexes = image.indexes.iter();
    let of_indexes = indexes.map(|index| &index.document.value.annotations);
    let mut bases = Vec::new();
    for base in of_images.chain(of_indexes).filter_map(base) {
        if !bases.contains(&base) {
            bases.push(base);
        }
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

fn run_details(release: &Release, workflow: Option<(String, String)>) -> Value {
    let version = json!({ "xtask": release.version });
    match workflow {
        Some((id, run)) => json!({
            "builder": { "id": id, "version": version },
            "metadata": { "invocationId": run },
        }),
        None => json!({ "builder": { "id": LOCAL, "version": version } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const NAME: &str = "ghcr.io/noetl/noetl";

    fn inputs() -> [Input; 1] {
        [Input {
            path: "xtask/pins/ziglang.txt",
            sha256: Sha256::of(b"pins"),
            pins: vec!["pkg:pypi/ziglang@1".into()],
        }]
    }

    /// Checks values of the statement about an image by their JSON pointers below the predicate.
    fn assert_predicate(
        release: &Release,
        image: &Image,
        workflow: Option<[&str; 2]>,
        expected: &[(&str, Value)],
    ) {
        let workflow = workflow.map(|[id, run]| (id.to_owned(), run.to_owned()));
        let written = write(release, NAME, image, "plain", &inputs(), workflow).unwrap();
        let statement: Value = serde_json::from_slice(&written).unwrap();
        for (number, platform) in ["", " linux/amd64", " linux/arm64/v8"].iter().enumerate() {
            let name = &statement["subject"][number]["name"];
            assert_eq!(*name, format!("{NAME}{platform}"));
        }
        assert_eq!(statement["subject"][3], Value::Null);
        for (path, value) in expected {
            let found = statement["predicate"].pointer(path);
            assert_eq!(found, Some(value), "{path}");
        }
    }

    #[test]
    fn the_statement_is_of_the_index_and_each_platform() {
        let release = fixtures::release();
        let image = Image::read(&fixtures::image()).unwrap();
        let parameters = json!({
            "base": "scratch", "flavour": "plain", "version": "1.2.3",
            "platforms": ["linux/amd64", "linux/arm64/v8"],
        });
        let source = json!({ "uri": REPOSITORY, "digest": { "gitCommit": release.commit } });
        let details = json!({ "builder": { "id": LOCAL, "version": { "xtask": "1.2.3" } } });
        let pins = json!(["pkg:pypi/ziglang@1"]);
        let second = "/buildDefinition/resolvedDependencies/1/annotations/pins";
        let expected = [
            ("/buildDefinition/externalParameters", parameters),
            ("/buildDefinition/resolvedDependencies/0", source),
            (second, pins),
            ("/runDetails", details),
        ];
        assert_predicate(&release, &image, None, &expected);
    }

    #[test]
    fn a_base_a_dirty_tree_and_a_workflow_are_recorded() {
        let mut release = fixtures::release();
        let commit = release.commit.clone();
        release.commit.push_str("-dirty");
        let mut image = Image::read(&fixtures::image()).unwrap();
        let base = "docker.io/library/python:3.12-slim";
        for platform in &mut image.platforms {
            let annotations = &mut platform.manifest.as_mut().unwrap().value.annotations;
            annotations.insert(BASE_NAME.to_owned(), base.to_owned());
            annotations.insert(BASE_DIGEST.to_owned(), "sha256:ba5e".to_owned());
        }
        let workflow = ["https://example.org/w", "https://example.org/w/1"];
        let dependencies = json!([
            { "uri": REPOSITORY, "digest": { "gitCommit": commit }, "annotations": { "dirty": true } },
            { "name": base, "digest": { "sha256": "ba5e" } },
            input(&inputs()[0]),
        ]);
        let expected = [
            ("/buildDefinition/externalParameters/base", json!([base])),
            ("/buildDefinition/resolvedDependencies", dependencies),
            ("/runDetails/builder/id", json!(workflow[0])),
            ("/runDetails/metadata/invocationId", json!(workflow[1])),
        ];
        assert_predicate(&release, &image, Some(workflow), &expected);
    }
}
