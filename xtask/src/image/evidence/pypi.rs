//! The Python packages of an image's flavour, from its requirements file.

use crate::release::sbom::graph::{Graph, Package};

/// Reads `name==version` of each requirement, and its hash when it has exactly one: several are of the wheels of
/// several platforms.
pub(crate) fn parse(requirements: &str) -> Graph {
    let mut graph = Graph::default();
    let joined = requirements.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some((name, version)) = words.next().and_then(|word| word.split_once("==")) else {
            continue;
        };
        let hashes = words.filter_map(|word| word.strip_prefix("--hash=sha256:"));
        let hashes: Vec<&str> = hashes.collect();
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            hash: match hashes.as_slice() {
                [hash] => Some(("SHA-256", (*hash).to_owned())),
                _ => None,
            },
        };
        let purl = format!("pkg:pypi/{}@{version}", name.to_lowercase());
        graph.packages.insert(purl, package);
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read() {
        let graph = parse(
            "# why\nduckdb==2.0.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nSix==1.0 --hash=sha256:cc\n",
        );
        let names: Vec<_> = graph.packages.keys().map(String::as_str).collect();
        assert_eq!(names, ["pkg:pypi/duckdb@2.0.0", "pkg:pypi/six@1.0"]);
        let hashes = [0, 1].map(|name| graph.packages[names[name]].hash.clone());
        assert_eq!(hashes, [None, Some(("SHA-256", "cc".into()))]);
    }
}
