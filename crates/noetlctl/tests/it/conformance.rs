//! The API against its description, tested by schemathesis: no answer has status 500, or a status, type or
//! body that is not in `/api/openapi.json`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::Live;
#[cfg(unix)]
use crate::postgres::Postgres;
use crate::support::{show, tool_is_missing};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Longer than the longest wait of a request for work.
const TIMEOUT_SECONDS: &str = "45";

/// The folder in which `cargo xtask test` installs the version of xtask/pins.
fn package() -> Option<PathBuf> {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../xtask/tools");
    let mut found: Vec<PathBuf> = std::fs::read_dir(state)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(is_schemathesis))
        .collect();
    found.sort();
    let newest = found.pop();
    if newest.is_none() {
        tool_is_missing("schemathesis (pip: `cargo xtask test` fetches it)");
    }
    newest
}

fn is_schemathesis(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("schemathesis-") && !name.ends_with(".part")
}

fn conforms(live: &Live, package: &Path) {
    let output = Command::new("python3")
        .arg(package.join("bin/schemathesis"))
        .args(["run", &format!("{}/api/openapi.json", live.url())])
        // The streams do not end.
        .args(["--exclude-path-regex", "/stream$"])
        .args(["--checks", CHECKS, "--request-timeout", TIMEOUT_SECONDS])
        // One thread, since several race in Python's own parser. One seed, so that a failure is reproducible.
        .args([
            "--max-examples",
            "10",
            "--workers",
            "1",
            "--seed",
            "1",
            "--no-color",
        ])
        .env("PYTHONPATH", package)
        .env(
            "HYPOTHESIS_STORAGE_DIRECTORY",
            live.home.path().join("hypothesis"),
        )
        .current_dir(live.home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", show(&output));
    let log = std::fs::read_to_string(live.log_path()).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn the_api_matches_its_description_with_sqlite() {
    if let Some(package) = package() {
        conforms(&Live::new(), &package);
    }
}

#[test]
#[cfg(unix)]
fn the_api_matches_its_description_with_postgresql() {
    let Some(package) = package() else {
        return;
    };
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("conformance");
    conforms(&Live::on(Some(database), &[], &[]), &package);
}
