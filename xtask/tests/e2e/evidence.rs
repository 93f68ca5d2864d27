//! SBOM and provenance, checked with the CycloneDX schema, oras and cosign.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::explain::copy_to;
use crate::support::{Dist, command, engine, root, show, succeed, tool, variable, xtask};

/// Attests a copy of the dist's image. Returns its SBOMs, its provenance and its entry in the manifest.
fn attest(work: &Path) -> Option<(Vec<PathBuf>, PathBuf, Value)> {
    let (tar, image) = Dist::find()?.image()?;
    let copied = work.join("noetl.tar");
    fs::copy(tar, &copied).unwrap();
    succeed(xtask(&["image", "attest"]).arg(&copied));
    let sboms =
        ["amd64", "arm64"].map(|arch| work.join(format!("noetl.sbom.linux-{arch}.cdx.json")));
    Some((sboms.to_vec(), work.join("noetl.provenance.json"), image))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A Python program that prints each violation of the CycloneDX schema; referenced schemas are read from the package.
const VALIDATE: &str = r#"
import json, pathlib, sys
import cyclonedx.schema._res as resources
import jsonschema_rs
folder = pathlib.Path(resources.__file__).parent
read = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))
home = "http://cyclonedx.org/schema/"
others = ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"]
registry = jsonschema_rs.Registry([(home + name, read(name)) for name in others])
schema = jsonschema_rs.validator_for(read("bom-1.6.SNAPSHOT.schema.json"), registry=registry)
for error in schema.iter_errors(json.load(open(sys.argv[1], encoding="utf-8"))):
    print(error.instance_path, error.message)
"#;

/// Returns Python with the validator that `cargo xtask test` installs in the version of xtask/pins.
fn schema_validator() -> Option<Command> {
    tool("cyclonedx-python-lib")?;
    let target = variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".to_owned());
    let tools = root().join(target).join("xtask/tools");
    let mut folders = fs::read_dir(tools).unwrap().map(|entry| entry.unwrap());
    let is_ours =
        |name: &str| name.starts_with("cyclonedx-python-lib-") && !name.ends_with(".part");
    let found = folders.find(|entry| is_ours(&entry.file_name().to_string_lossy()));
    let mut python = tool("python3")?;
    python.args(["-c", VALIDATE]);
    python.env("PYTHONPATH", found.unwrap().path());
    Some(python)
}

#[test]
fn sboms_match_the_schema_and_their_platform() {
    let work = tempfile::tempdir().unwrap();
    let Some((sboms, ..)) = attest(work.path()) else {
        return;
    };
    for sbom in &sboms {
        let Some(mut validator) = schema_validator() else {
            return;
        };
        assert_eq!(succeed(validator.arg(sbom)), "");
        let purls: Vec<String> = json(sbom)["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["purl"].as_str().unwrap().to_owned())
            .collect();
        let has = |start: &str| purls.iter().any(|purl| purl.starts_with(start));
        assert!(has("pkg:cargo/tokio@") && has("pkg:npm/react@") && has("pkg:generic/rust-std@"));
        assert!(
            !has("pkg:cargo/windows") && !has("pkg:cargo/clap_derive@") && !has("pkg:npm/vite@")
        );
    }
    let broken = work.path().join("broken.json");
    let text = fs::read_to_string(&sboms[0]).unwrap();
    fs::write(&broken, text.replacen("\"library\"", "\"libary\"", 1)).unwrap();
    let said = succeed(schema_validator().unwrap().arg(&broken));
    assert!(said.contains("libary"), "{said}");
}

#[test]
fn evidence_depends_on_the_image_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (Some(first), Some(second)) = (attest(one.path()), attest(other.path())) else {
        return;
    };
    for (one, other) in first.0.iter().zip(&second.0) {
        assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
    }
    assert_eq!(fs::read(&first.1).unwrap(), fs::read(&second.1).unwrap());
    let statement = json(&first.1);
    let index = first.2["index_digest"].as_str().unwrap();
    let subject = &statement["subject"][0]["digest"]["sha256"];
    assert_eq!(format!("sha256:{}", subject.as_str().unwrap()), index);
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
}

/// cosign's variable for the password of a key, and the password of the tests' keys.
const PASSWORD: (&str, &str) = ("COSIGN_PASSWORD", "of the test");

/// Creates a cosign key pair in `work`: `NAME.key` and `NAME.pub`.
fn make_key(work: &Path, name: &str) {
    let mut cosign = command("cosign");
    cosign.args(["generate-key-pair", "--output-key-prefix"]);
    succeed(cosign.arg(work.join(name)).env(PASSWORD.0, PASSWORD.1));
}

/// Verifies the signature of an image with a public key. Returns cosign's output.
fn verify(name: &str, public: &Path) -> String {
    let mut cosign = command("cosign");
    let unlogged = ["--insecure-ignore-tlog=true", "--allow-http-registry"];
    cosign.arg("verify").args(unlogged).arg("--key").arg(public);
    show(cosign.arg(name))
}

/// Returns the artifact types that oras finds attached to a digest.
fn discover(name: &str, digest: &str) -> Vec<String> {
    let (repository, _) = name.rsplit_once(':').unwrap();
    let subject = format!("{repository}@{digest}");
    let mut oras = command("oras");
    oras.args(["discover", "--plain-http", "--format", "json", &subject]);
    let found: Value = serde_json::from_str(&succeed(&mut oras)).unwrap();
    let mut types: Vec<_> = found["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|artifact| artifact["artifactType"].as_str().unwrap().to_owned())
        .collect();
    types.sort_unstable();
    types
}

#[test]
fn oras_and_cosign_find_evidence_and_signatures() {
    let (Some(registry), Some((tar, image))) =
        (engine(), Dist::find().and_then(|dist| dist.image()))
    else {
        return;
    };
    if tool("cosign").is_none() || tool("oras").is_none() {
        return;
    }
    let Some(name) = copy_to(&registry, &tar, "xtask-evidence") else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    make_key(work.path(), "ours");
    make_key(work.path(), "other");
    let attest = [
        "image",
        "attest",
        &name,
        "--attest",
        "referrers",
        "--sign-key",
    ];
    let mut attest = xtask(&attest);
    let attest = attest.arg(work.path().join("ours.key"));
    let text = show(attest.env(PASSWORD.0, PASSWORD.1));
    assert!(text.ends_with("[exit 0]"), "{text}");
    assert!(!text.contains(PASSWORD.1), "{text}");
    let accepted = verify(&name, &work.path().join("ours.pub"));
    assert!(accepted.ends_with("[exit 0]"), "{accepted}");
    let refused = verify(&name, &work.path().join("other.pub"));
    assert!(!refused.ends_with("[exit 0]"), "{refused}");
    let (sbom, provenance) = (
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    );
    let index = image["index_digest"].as_str().unwrap();
    assert_eq!(discover(&name, index), [provenance]);
    let inspected = succeed(&mut xtask(&["image", "inspect", "--json", &name]));
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let children = inspected["manifests"].as_array().unwrap();
    assert_eq!(
        children.len(),
        2,
        "evidence must not be listed as a platform: {inspected}"
    );
    for child in children {
        let found = discover(&name, child["digest"].as_str().unwrap());
        assert_eq!(found, [sbom, provenance]);
    }
}
