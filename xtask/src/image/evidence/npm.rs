//! The npm packages of the web page, from its lockfile: what it imports, not what builds it.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::image::evidence::graph::{Graph, Package};

/// Reads the production packages of a package-lock.json (lockfileVersion 3).
///
/// # Errors
/// When it is another format, or names something that it does not hold.
pub(crate) fn parse(package_lock: &str) -> anyhow::Result<Graph> {
    let lock: Value =
        serde_json::from_str(package_lock).context("package-lock.json is not JSON")?;
    if lock["lockfileVersion"] != 3 {
        bail!("package-lock.json is of another version than 3");
    }
    let packages = lock["packages"]
        .as_object()
        .context("package-lock.json has no packages")?;
    let mut graph = Graph::default();
    for (path, fields) in packages {
        // `devOptional`: only tools need it, or somebody may bring it; the page has it in neither case.
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
            let found = installed(path, dependency).find_map(|path| packages.get(&path));
            let found =
                found.with_context(|| format!("{name} needs {dependency}, which is not there"))?;
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
    // Types and the like that only tools need were left out, and so are the edges to them.
    let known: Vec<String> = graph.packages.keys().cloned().collect();
    for needed in graph.edges.values_mut() {
        needed.retain(|purl| known.binary_search(purl).is_ok());
    }
    Ok(graph)
}

/// The package URL of an npm package; a scope's `@` is encoded (purl-spec).
fn purl(name: &str, version: &str) -> String {
    format!("pkg:npm/{}@{version}", name.replace('@', "%40"))
}

/// Where Node looks for a package from inside another, nearest first.
fn installed(path: &str, name: &str) -> impl Iterator<Item = String> {
    let mut folder = Some(path.to_owned());
    std::iter::from_fn(move || {
        let here = folder.take()?;
        folder = match here.rfind("/node_modules/") {
            Some(at) => Some(here[..at].to_owned()),
            None if here.is_empty() => None,
            None => Some(String::new()),
        };
        let slash = if here.is_empty() { "" } else { "/" };
        Some(format!("{here}{slash}node_modules/{name}"))
    })
}

/// `sha512-` and base64 as CycloneDX writes it.
fn hash(integrity: &str) -> Option<(&'static str, String)> {
    let bytes = STANDARD.decode(integrity.strip_prefix("sha512-")?).ok()?;
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(("SHA-512", hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_made_of_what_it_imports() {
        let lock = r#"{"lockfileVersion": 3, "packages": {
            "": {"name": "ui", "version": "0.1.0", "dependencies": {"@s/a": "1", "b": "1"}},
            "node_modules/@s/a": {"version": "1.0.0", "license": "MIT", "integrity": "sha512-AAE=", "dependencies": {"b": "2", "t": "1"}},
            "node_modules/@s/a/node_modules/b": {"version": "2.0.0"},
            "node_modules/b": {"version": "1.0.0"},
            "node_modules/t": {"version": "1.0.0", "devOptional": true},
            "node_modules/tool": {"version": "1.0.0", "dev": true}}}"#;
        let graph = parse(lock).unwrap();
        let a = "pkg:npm/%40s/a@1.0.0";
        assert_eq!(
            graph.packages.keys().collect::<Vec<_>>(),
            [a, "pkg:npm/b@1.0.0", "pkg:npm/b@2.0.0", "pkg:npm/ui@0.1.0"]
        );
        assert_eq!(graph.packages[a].hash, Some(("SHA-512", "0001".into())));
        let edges = |from: &str| graph.edges[from].iter().cloned().collect::<Vec<_>>();
        assert_eq!(edges(a), ["pkg:npm/b@2.0.0"]);
        assert_eq!(edges("pkg:npm/ui@0.1.0"), [a, "pkg:npm/b@1.0.0"]);
        let missing = lock.replace("\"node_modules/b\"", "\"node_modules/c\"");
        assert!(
            parse(&missing)
                .unwrap_err()
                .to_string()
                .contains("ui needs b")
        );
        assert!(parse(&lock.replace(": 3", ": 2")).is_err());
    }
}
