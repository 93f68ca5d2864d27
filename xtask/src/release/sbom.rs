//! The SBOM of one platform's program in CycloneDX 1.6: its crates, the standard library, its web page, its Python
//! packages.

pub(crate) mod crates;
pub(crate) mod drift;
pub(crate) mod graph;
pub(crate) mod npm;

use anyhow::{anyhow, ensure};
use noetl_help::Help as _;
use noetl_oci::Sha256;
use serde_json::{Value, json};

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::sbom::graph::{Graph, Package};
use crate::release::stamp::{self, Stamp};
use crate::release::target::Target;
use crate::release::version::Release;

/// The scope that the document declares.
const SCOPE: &str = "normal dependencies for the target, as cargo resolves them; build scripts and \
    procedural macros run where it is compiled and are not in the program";

/// Returns the file name of the SBOM of a target's binary.
pub(crate) fn file_name(release: &Release, target: &Target) -> String {
    format!("noetl-{}-{}.cdx.json", release.tag, target.triple)
}

/// Returns the document on a program of this tree, with packages of other kinds beside its crates and its page.
///
/// # Errors
/// When the program is of another commit or another tree, or cargo fails.
pub(crate) fn of_program(
    ctx: &Ctx,
    release: &Release,
    target: &Target,
    program: &[u8],
    more: &[Graph],
) -> anyhow::Result<Vec<u8>> {
    let stamp = stamp::read(program)?;
    let (found, commit) = (&stamp.commit, &release.commit);
    ensure!(found == commit, "the program is of {found}, not {commit}");
    let crates = crates::resolve(ctx, target)?;
    let mut others = Vec::new();
    if !stamp.ui_sha256.is_empty() {
        let lock = files::read_to_string(&ctx.root.join("ui-src/package-lock.json"))?;
        others.push(npm::parse(&lock)?);
    }
    others.extend_from_slice(more);
    let document = write(release, &stamp, program, &crates, &others);
    let drift = drift::check(&document, &crates, program);
    if !drift.is_empty() {
        return Err(anyhow!("{}", drift.join("\n"))).help("build again from this tree");
    }
    Ok(noetl_oci::encode(&document))
}

/// Returns the document on `program`, whose stamp is `stamp`; the same input gives the same document.
///
/// `others` are packages of other kinds: those of the web page, those of Python.
pub(crate) fn write(
    release: &Release,
    stamp: &Stamp,
    program: &[u8],
    crates: &Graph,
    others: &[Graph],
) -> Value {
    let rust = rust_std(&stamp.rustc);
    let mut components: Vec<Value> = Vec::new();
    let mut dependencies: Vec<Value> = Vec::new();
    for graph in std::iter::once(crates).chain(others) {
        for (purl, package) in &graph.packages {
            let edges = graph.edges.get(purl).into_iter().flatten();
            let mut needed: Vec<&str> = edges.map(String::as_str).collect();
            if *purl == crates.root {
                needed.extend(others.iter().flat_map(Graph::roots));
                needed.push(&rust.0);
            } else {
                components.push(component(purl, package));
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
    document
}

fn metadata(release: &Release, stamp: &Stamp, program: &[u8], crates: &Graph) -> Value {
    let root = crates.packages.get(&crates.root);
    let license = root.and_then(|package| package.license.as_ref());
    let properties = [
        ("commit", &*stamp.commit),
        ("rustc", &stamp.rustc),
        ("scope", SCOPE),
        ("target", &stamp.target),
        ("target_features", &stamp.target_features),
        ("ui_sha256", &stamp.ui_sha256),
    ];
    let properties =
        properties.map(|(name, value)| json!({ "name": format!("noetl:{name}"), "value": value }));
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
            "licenses": licenses(license),
            "hashes": [{ "alg": "SHA-256", "content": Sha256::of(program).to_string() }],
            "properties": properties,
        },
    })
}

fn component(purl: &str, package: &Package) -> Value {
    let scoped = package.name.split_once('/');
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": scoped.map_or(&*package.name, |(_, name)| name),
        "version": package.version,
        "purl": purl,
        "scope": "required",
    });
    if let Some((group, _)) = scoped {
        component["group"] = group.into();
    }
    if let Some(license) = &package.license {
        component["licenses"] = licenses(Some(license));
    }
    if let Some((algorithm, hash)) = &package.hash {
        component["hashes"] = json!([{ "alg": algorithm, "content": hash }]);
    }
    component
}

fn licenses(expression: Option<&String>) -> Value {
    let list = expression.iter().map(|it| json!({ "expression": it }));
    list.collect()
}

/// Returns the standard library, which is in no lockfile: its version is that of `rustc 1.95.0 (…)`.
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

/// Returns a UUID of version 8 (RFC 9562) made of the document's hash.
fn serial_number(document: &Value) -> String {
    let hash = Sha256::of(&noetl_oci::encode(document)).to_string();
    let parts = [0..8, 8..12, 12..15, 15..18, 18..30].map(|range| &hash[range]);
    let [low, mid, high, clock, node] = parts;
    format!("urn:uuid:{low}-{mid}-8{high}-8{clock}-{node}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target::TARGETS;

    pub(crate) fn graph(kind: &str, root: &str, names: &[&str]) -> Graph {
        let mut graph = Graph {
            root: format!("pkg:{kind}/{root}"),
            ..Graph::default()
        };
        for package in names.iter().chain([&root]) {
            let (name, version) = package.rsplit_once('@').unwrap();
            let purl = format!("pkg:{kind}/{package}");
            if purl != graph.root {
                graph.needs(&graph.root.clone(), &purl);
            }
            let package = Package {
                name: name.to_owned(),
                version: version.to_owned(),
                license: Some("MIT".to_owned()),
                hash: Some(("SHA-256", "00".repeat(32))),
            };
            graph.packages.insert(purl, package);
        }
        graph
    }

    #[test]
    fn the_document_depends_on_its_program_and_packages_only() {
        let crates = graph("cargo", "noetlctl@1.2.3", &["serde@1.0.0"]);
        let page = graph("npm", "noetl-ui@1.2.3", &["react@19.0.0"]);
        let mut python = graph("pypi", "a@1", &["b@2"]);
        python.root.clear();
        let stamp = fixtures::stamp(&TARGETS[0]);
        let write =
            |others: &[Graph]| write(&fixtures::release(), &stamp, b"program", &crates, others);
        let refs = |sbom: &Value| -> Vec<String> {
            let components = sbom["components"].as_array().unwrap().iter();
            let refs = components.map(|it| it["bom-ref"].as_str().unwrap().to_owned());
            refs.collect()
        };
        let sbom = write(std::slice::from_ref(&page));
        assert_eq!(sbom, write(std::slice::from_ref(&page)));
        let expected = [
            "pkg:cargo/serde@1.0.0",
            "pkg:npm/noetl-ui@1.2.3",
            "pkg:npm/react@19.0.0",
            "pkg:generic/rust-std@1.0.0",
        ];
        assert_eq!(refs(&sbom), expected);
        let root = &sbom["dependencies"][0];
        assert_eq!(root["ref"], "pkg:cargo/noetlctl@1.2.3");
        assert_eq!(root["dependsOn"].as_array().unwrap().len(), 3);
        assert_eq!(sbom["metadata"]["timestamp"], "2026-01-01T00:00:00Z");
        let serial = sbom["serialNumber"].as_str().unwrap();
        assert_eq!((serial.len(), &serial[23..24]), (45, "8"), "{serial}");
        let without = write(&[]);
        assert_ne!(without["serialNumber"], serial);
        assert_eq!(refs(&without).len(), 2);
        let needed = &write(&[page, python])["dependencies"][0]["dependsOn"];
        for purl in ["pkg:pypi/a@1", "pkg:pypi/b@2", "pkg:npm/noetl-ui@1.2.3"] {
            let needed = needed.as_array().unwrap();
            assert!(needed.contains(&purl.into()), "{needed:?}");
        }
    }
}
