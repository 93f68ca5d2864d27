//! The Python packages of an image's flavour, from its requirements file.

use crate::image::evidence::graph::{Graph, Package};

/// Reads `name==version` of each requirement, and the hash where the file has one alone: of several,
/// one for each platform's wheel, nobody can tell which is meant.
pub(crate) fn parse(requirements: &str) -> Graph {
    let mut graph = Graph::default();
    let joined = requirements.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some((name, version)) = words.next().and_then(|word| word.split_once("==")) else {
            continue;
        };
        let hashes: Vec<&str> = words
            .filter_map(|word| word.strip_prefix("--hash=sha256:"))
            .collect();
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            hash: match hashes.as_slice() {
                [hash] => Some(("SHA-256", (*hash).to_owned())),
                _ => None,
            },
        };
        graph.packages.insert(
            format!("pkg:pypi/{}@{version}", name.to_lowercase()),
            package,
        );
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_packages() {
        let graph = parse(
            "# why\nduckdb==2.0.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nSix==1.0 --hash=sha256:cc\n",
        );
        let names: Vec<_> = graph.packages.keys().map(String::as_str).collect();
        assert_eq!(names, ["pkg:pypi/duckdb@2.0.0", "pkg:pypi/six@1.0"]);
        assert_eq!(graph.packages[names[0]].hash, None);
        assert_eq!(
            graph.packages[names[1]].hash,
            Some(("SHA-256", "cc".into()))
        );
    }
}
