//! The npm packages that the web page imports, from its lockfile. Packages that build it are not among them.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::release::sbom::graph::{Graph, Package};

/// Reads the production packages of a package-lock.json (lockfileVersion 3).
///
/// # Errors
/// When it has another format, or a dependency is not in it.
pub(crate) fn parse(package_lock: &str) -> anyhow::Result<Graph> {
    let lock = serde_json::from_str(package_lock);
    let lock: Value = lock.context("package-lock.json is not JSON")?;
    let is_known = lock["lockfileVersion"] == 3;
    ensure!(is_known, "package-lock.json is of another version than 3");
    let packages = lock["packages"].as_object();
    let packages = packages.context("package-lock.json has no packages")?;
    let mut graph = Graph::default();
    for (path, fields) in packages {
        // `devOptional` packages are for tools or optional, and not in the page.
        if fields["dev"] == true || fields["devOptional"] == true {
            continue;
        }
        let name = match path.rsplit_once("node_modules/") {
            Some((_, name)) => name,
            None => fields["name"].as_str().context("the page has no name")?,
        };
        let version = fields["version"].as_str();
        let version = version.with_context(|| format!("{name} has no version"))?;
        let own = purl(name, version);
        if path.is_empty() {
            own.clone_into(&mut graph.root);
        }
        let needed = fields["dependencies"].as_object();
        for dependency in needed.into_iter().flat_map(|map| map.keys()) {
            let missing = || format!("{name} needs {dependency}, which is not there");
            let found = installed(path, dependency).find_map(|path| packages.get(&path));
            let found = found.with_context(missing)?;
            let version = found["version"].as_str().unwrap_or_default();
            graph.needs(&own, &purl(dependency, version));
        }
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: fields["license"].as_str().map(ToOwned::to_owned),
            hash: fields["integrity"].as_str().and_then(hash),
        };
        graph.packages.insert(own, package);
    }
    // Edges to packages that were left out are removed.
    let known: Vec<String> = graph.packages.keys().cloned().collect();
    for needed in graph.edges.values_mut() {
        needed.retain(|purl| known.binary_search(purl).is_ok());
    }
    Ok(graph)
}

/// Returns the package URL of an npm package, with the `@` of a scope encoded (purl-spec).
fn purl(name: &str, version: &str) -> String {
    format!("pkg:npm/{}@{version}", name.replace('@', "%40"))
}

/// Returns the paths at which Node looks for a package from inside another, nearest first.
fn installed(path: &str, name: &str) -> impl Iterator<Item = String> {
    let above = path.rmatch_indices("/node_modules/");
    let above = above.map(|(end, _)| &path[..end]);
    let folders = std::iter::once(path).chain(above).chain([""]);
    folders.map(move |folder| {
        let path = format!("{folder}/node_modules/{name}");
        path.trim_start_matches('/').to_owned()
    })
}

/// Returns the hash of a `sha512-` integrity in hex, with the name of its algorithm in CycloneDX.
fn hash(integrity: &str) -> Option<(&'static str, String)> {
    let bytes = STANDARD.decode(integrity.strip_prefix("sha512-")?).ok()?;
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(("SHA-512", hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_the_page_imports_are_read() {
        let lock = r#"{"lockfileVersion": 3, "packages": {
            "": {"name": "ui", "version": "0.1.0", "dependencies": {"@s/a": "1", "b": "1"}},
            "node_modules/@s/a": {"version": "1.0.0", "license": "MIT", "integrity": "sha512-AAE=", "dependencies": {"b": "2", "t": "1"}},
            "node_modules/@s/a/node_modules/b": {"version": "2.0.0"},
            "node_modules/b": {"version": "1.0.0"},
            "node_modules/t": {"version": "1.0.0", "devOptional": true},
            "node_modules/tool": {"version": "1.0.0", "dev": true}}}"#;
        let graph = parse(lock).unwrap();
        let a = "pkg:npm/%40s/a@1.0.0";
        let purls: Vec<_> = graph.packages.keys().collect();
        assert_eq!(
            purls,
            [a, "pkg:npm/b@1.0.0", "pkg:npm/b@2.0.0", "pkg:npm/ui@0.1.0"]
        );
        assert_eq!(graph.packages[a].hash, Some(("SHA-512", "0001".into())));
        let edges = |from: &str| graph.edges[from].iter().cloned().collect::<Vec<_>>();
        assert_eq!(edges(a), ["pkg:npm/b@2.0.0"]);
        assert_eq!(edges("pkg:npm/ui@0.1.0"), [a, "pkg:npm/b@1.0.0"]);
        let missing = lock.replace("\"node_modules/b\"", "\"node_modules/c\"");
        let error = parse(&missing).unwrap_err().to_string();
        assert!(error.contains("ui needs b"), "{error}");
        assert!(parse(&lock.replace(": 3", ": 2")).is_err());
    }
}
