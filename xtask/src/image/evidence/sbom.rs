//! A CycloneDX 1.6 document on one platform's program: its crates, the standard library, its web page.

use noetl_oci::Sha256;
use serde_json::{Value, json};

use crate::image::evidence::graph::{Graph, Package};
use crate::release::stamp::Stamp;
use crate::release::version::Release;

/// What the document says of itself, so that nobody takes a gap for a mistake.
const SCOPE: &str = "normal dependencies for the target, as cargo resolves them; build scripts and \
    procedural macros run where it is compiled and are not in the program";

/// Writes the document on `program`, whose stamp is `stamp`; the same input gives the same bytes.
///
/// `others` are packages of other kinds that it comes with: those of its web page, those of Python.
pub(crate) fn write(
    release: &Release,
    stamp: &Stamp,
    program: &[u8],
    crates: &Graph,
    others: &[&Graph],
) -> Vec<u8> {
    let rust = rust_std(&stamp.rustc);
    let mut components: Vec<Value> = Vec::new();
    let mut dependencies: Vec<Value> = Vec::new();
    for graph in [crates].iter().chain(others) {
        let below = graph
            .packages
            .iter()
            .filter(|(purl, _)| **purl != crates.root);
        components.extend(below.map(|(purl, package)| component(purl, package)));
        for purl in graph.packages.keys() {
            let edges = graph.edges.get(purl).into_iter().flatten();
            let mut needed: Vec<&str> = edges.map(String::as_str).collect();
            if *purl == crates.root {
                needed.extend(others.iter().flat_map(|graph| graph.roots()));
                needed.push(&rust.0);
            }
            needed.sort_unstable();
            dependencies.push(json!({ "ref": purl, "dependsOn": needed }));
        }
    }
    components.push(component(&rust.0, &rust.1));
    dependencies.push(json!({ "ref": rust.0, "dependsOn": [] }));
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata(release, stamp, program, crates),
        "components": components,
        "dependencies": dependencies,
    });
    document["serialNumber"] = serial_number(&document).into();
    noetl_oci::encode(&document)
}

fn metadata(release: &Release, stamp: &Stamp, program: &[u8], crates: &Graph) -> Value {
    let license = crates
        .packages
        .get(&crates.root)
        .and_then(|package| package.license.clone());
    let property =
        |name: &str, value: &str| json!({ "name": format!("noetl:{name}"), "value": value });
    json!({
        "timestamp": release.created(),
        "lifecycles": [{ "phase": "build" }],
        "tools": { "components": [{
            "type": "application", "name": "xtask", "group": "noetl", "version": release.version,
        }] },
        "component": {
            "type": "application",
            "bom-ref": crates.root,
            "name": stamp.name,
            "version": stamp.version,
            "purl": crates.root,
            "licenses": licenses(license.as_ref()),
            "hashes": [{ "alg": "SHA-256", "content": Sha256::of(program).to_string() }],
            "properties": [
                property("commit", &stamp.commit),
                property("rustc", &stamp.rustc),
                property("scope", SCOPE),
                property("target", &stamp.target),
                property("target_features", &stamp.target_features),
                property("ui_sha256", &stamp.ui_sha256),
            ],
        },
    })
}

fn component(purl: &str, package: &Package) -> Value {
    let (group, name) = match package.name.split_once('/') {
        Some((group, name)) => (Some(group), name),
        None => (None, package.name.as_str()),
    };
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
        "scope": "required",
    });
    if let Some(group) = group {
        component["group"] = group.into();
    }
    if package.license.is_some() {
        component["licenses"] = licenses(package.license.as_ref());
    }
    if let Some((algorithm, hash)) = &package.hash {
        component["hashes"] = json!([{ "alg": algorithm, "content": hash }]);
    }
    component
}

fn licenses(expression: Option<&String>) -> Value {
    expression.map_or_else(
        || json!([]),
        |expression| json!([{ "expression": expression }]),
    )
}

/// The standard library, which no lockfile names: `rustc 1.95.0 (…)` says which.
fn rust_std(rustc: &str) -> (String, Package) {
    let version = rustc.split(' ').nth(1).unwrap_or("unknown");
    let package = Package {
        name: "rust-std".to_owned(),
        version: version.to_owned(),
        license: Some("MIT OR Apache-2.0".to_owned()),
        hash: None,
    };
    (format!("pkg:generic/rust-std@{version}"), package)
}

/// A UUID of version 8 (RFC 9562: ours to define) made of the document's own hash.
fn serial_number(document: &Value) -> String {
    let hash = Sha256::of(&noetl_oci::encode(document)).to_string();
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..15],
        &hash[15..18],
        &hash[18..30]
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target::TARGETS;

    pub(in crate::image::evidence) fn graph(kind: &str, root: &str, names: &[&str]) -> Graph {
        let mut graph = Graph {
            root: format!("pkg:{kind}/{root}"),
            ..Graph::default()
        };
        for name in names.iter().chain([&root]) {
            let (name, version) = name.rsplit_once('@').unwrap();
            let package = Package {
                name: name.to_owned(),
                version: version.to_owned(),
                license: Some("MIT".to_owned()),
                hash: Some(("SHA-256", "00".repeat(32))),
            };
            graph
                .packages
                .insert(format!("pkg:{kind}/{name}@{version}"), package);
            let purl = format!("pkg:{kind}/{name}@{version}");
            if purl != graph.root {
                graph.needs(&graph.root.clone(), &purl);
            }
        }
        graph
    }

    #[test]
    fn the_document_is_of_its_program_and_the_same_each_time() {
        let crates = graph("cargo", "noetlctl@1.2.3", &["serde@1.0.0"]);
        let page = graph("npm", "noetl-ui@1.2.3", &["react@19.0.0"]);
        let stamp = fixtures::stamp(&TARGETS[0]);
        let written = |others: &[&Graph]| {
            let bytes = write(&fixtures::release(), &stamp, b"program", &crates, others);
            assert_eq!(
                bytes,
                write(&fixtures::release(), &stamp, b"program", &crates, others)
            );
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        let sbom = written(&[&page]);
        let refs = |sbom: &Value| -> Vec<String> {
            let components = sbom["components"].as_array().unwrap().iter();
            components
                .map(|it| it["bom-ref"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            refs(&sbom),
            [
                "pkg:cargo/serde@1.0.0",
                "pkg:npm/noetl-ui@1.2.3",
                "pkg:npm/react@19.0.0",
                "pkg:generic/rust-std@1.0.0"
            ]
        );
        let root = &sbom["dependencies"][0];
        assert_eq!(root["ref"], "pkg:cargo/noetlctl@1.2.3");
        assert_eq!(root["dependsOn"].as_array().unwrap().len(), 3);
        assert_eq!(sbom["metadata"]["timestamp"], "2026-01-01T00:00:00Z");
        let serial = sbom["serialNumber"].as_str().unwrap().to_owned();
        assert_eq!((serial.len(), &serial[23..24]), (45, "8"), "{serial}");
        let without = written(&[]);
        assert_ne!(without["serialNumber"], serial);
        assert_eq!(refs(&without).len(), 2);
        let mut python = graph("pypi", "a@1", &["b@2"]);
        python.root.clear();
        let flavoured = written(&[&page, &python]);
        let needed = &flavoured["dependencies"][0]["dependsOn"];
        for purl in ["pkg:pypi/a@1", "pkg:pypi/b@2", "pkg:npm/noetl-ui@1.2.3"] {
            assert!(
                needed.as_array().unwrap().contains(&purl.into()),
                "{needed}"
            );
        }
    }
}
