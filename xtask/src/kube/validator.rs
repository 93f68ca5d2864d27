//! kubernetes-validate: the command, and what its lines mean.

use camino::Utf8Path;

use crate::host::command::CommandLine;

/// Kubernetes versions that manifests must be valid for: the oldest whose types `noetl` is written in, the
/// newest there is a schema of, and one between.
pub(crate) const VERSIONS: [&str; 3] = ["1.33", "1.35", "1.37"];

/// The command that judges files by the schemas of every version.
pub(crate) fn command(python: &str, package: &Utf8Path, files: &[&str]) -> CommandLine {
    let versions = VERSIONS
        .iter()
        .flat_map(|version| ["--kubernetes-version", *version]);
    CommandLine::new(python)
        .args(["-m", "kubernetes_validate", "--strict", "--quiet"])
        .args(versions)
        .args(files.iter().copied())
        .env("PYTHONPATH", package.as_str())
}

/// A line's finding. A kind that has no schema is only a warning there, and would be let through.
pub(crate) fn finding(line: &str) -> Option<&str> {
    ["ERROR ", "WARN "]
        .iter()
        .find_map(|level| line.strip_prefix(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_without_a_schema_is_a_finding() {
        let warning =
            "WARN f.yaml Couldn't find schema for kind Deployment with api version apps/v1beta1";
        assert!(finding(warning).is_some_and(|finding| finding.starts_with("f.yaml Couldn't")));
        assert_eq!(
            finding("ERROR f.yaml did not validate"),
            Some("f.yaml did not validate")
        );
        assert_eq!(finding("INFO f.yaml passed"), None);
        insta::assert_snapshot!(command("python3", "tools/kv".into(), &["a.yaml"]), @"PYTHONPATH=tools/kv python3 -m kubernetes_validate --strict --quiet --kubernetes-version 1.33 --kubernetes-version 1.35 --kubernetes-version 1.37 a.yaml");
    }
}
