//! The command of kubernetes-validate, and how its output is read.

use camino::Utf8Path;

use crate::host::command::CommandLine;

/// The Kubernetes versions that manifests must be valid for: the oldest whose types `noetl` uses, the newest with a
/// schema, and one between.
pub(crate) const VERSIONS: [&str; 3] = ["1.33", "1.35", "1.37"];

/// Returns the command that validates files by the schemas of every version.
pub(crate) fn command(python: &str, package: &Utf8Path, files: &[&str]) -> CommandLine {
    let versions = VERSIONS.iter();
    CommandLine::new(python)
        .args(["-m", "kubernetes_validate", "--strict", "--quiet"])
        .args(versions.flat_map(|version| ["--kubernetes-version", *version]))
        .args(files.iter().copied())
        .env("PYTHONPATH", package.as_str())
}

/// Returns the finding in a line of output. A kind without a schema is a finding, too; the validator only warns of it.
pub(crate) fn finding(line: &str) -> Option<&str> {
    let warning = line.strip_prefix("WARN ");
    line.strip_prefix("ERROR ").or(warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_warnings_are_findings() {
        let unknown =
            "f.yaml Couldn't find schema for kind Deployment with api version apps/v1beta1";
        assert_eq!(finding(&format!("WARN {unknown}")), Some(unknown));
        let invalid = "f.yaml did not validate";
        assert_eq!(finding(&format!("ERROR {invalid}")), Some(invalid));
        assert_eq!(finding("INFO f.yaml passed"), None);
        insta::assert_snapshot!(command("python3", "tools/kv".into(), &["a.yaml"]), @"PYTHONPATH=tools/kv python3 -m kubernetes_validate --strict --quiet --kubernetes-version 1.33 --kubernetes-version 1.35 --kubernetes-version 1.37 a.yaml");
    }
}
