//! Variables that look as if they were meant for NoETL and mean nothing to it.

use strsim::osa_distance;

use super::environment::{names, variable};

/// Every variable of NoETL's own that the program reads; a test compares the list with the sources.
const KNOWN: [&str; 26] = [
    "NOETL_ALLOWED_HOSTS",
    "NOETL_ALLOW_HTTP",
    "NOETL_API_TOKEN",
    "NOETL_DATA_DIR",
    "NOETL_DEBUG",
    "NOETL_DOWNLOAD_URL",
    "NOETL_ENABLE_UI",
    "NOETL_ENCRYPTION_KEY",
    "NOETL_ENV_FILE",
    "NOETL_HOST",
    "NOETL_LOG_LIMIT",
    "NOETL_RETENTION_DAYS",
    "NOETL_MAX_WORKERS",
    "NOETL_NO_UPDATE_CHECK",
    "NOETL_PASSWORD",
    "NOETL_PORT",
    "NOETL_PYTHON",
    "NOETL_SCHEMA",
    "NOETL_SECRETS_FD",
    "NOETL_SERVER_NAME",
    "NOETL_SERVER_URL",
    "NOETL_STEP_MARK",
    "NOETL_UI_DIR",
    "NOETL_USER",
    "NOETL_WORKER_POOL_NAME",
    // What runs the program's tests sets it.
    "NOETL_REQUIRE_TOOLS",
];

/// Names that other programs use for what is `DATABASE_URL` here.
const DATABASE: [&str; 5] = [
    "DB_URL",
    "DATABASE_DSN",
    "PG_URL",
    "POSTGRES_URL",
    "POSTGRESQL_URL",
];

/// Returns a sentence for each variable that begins with `NOETL_` and is not known, and for each that may have been
/// meant as `DATABASE_URL`, when nothing names a database.
pub(crate) fn doubtful_variables() -> Vec<String> {
    let has_database = ["DATABASE_URL", "POSTGRES_HOST"]
        .iter()
        .any(|name| variable(name).is_some());
    let names = names();
    names
        .iter()
        .filter_map(|name| doubt(name, has_database))
        .collect()
}

fn doubt(name: &str, has_database: bool) -> Option<String> {
    if name.starts_with("NOETL_") {
        // Builds and tests of NoETL set variables of their own.
        let prefixes = ["NOETL_TEST_", "NOETL_STAMP_"];
        let of_build = prefixes.iter().any(|prefix| name.starts_with(prefix));
        let is_ours = of_build || KNOWN.contains(&name);
        if is_ours || is_of_a_service(name) {
            return None;
        }
        let distances = KNOWN.iter().map(|known| (osa_distance(name, known), known));
        let nearest = distances.filter(|(distance, _)| *distance <= 3).min();
        return Some(match nearest {
            Some((_, known)) => {
                format!("{name} is not known and is ignored; did you mean {known}?")
            }
            None => format!("{name} is not known and is ignored"),
        });
    }
    let is_near = name != "DATABASE_URL" && osa_distance(name, "DATABASE_URL") <= 2;
    let is_meant = !has_database && (is_near || DATABASE.contains(&name));
    is_meant.then(|| format!("{name} is not read; a database is named by DATABASE_URL"))
}

/// Whether Kubernetes sets a variable of this name in every pod beside a Service whose name begins with `noetl`.
fn is_of_a_service(name: &str) -> bool {
    let of_port = name.split_once("_PORT").is_some_and(|(_, rest)| {
        let rest = rest.trim_start_matches('_');
        let port = rest.split('_').next().unwrap_or_default();
        rest.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit())
    });
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || of_port
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_variable_that_the_sources_name_is_known() {
        fn search(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    search(&path, found);
                } else if !path.ends_with("doubtful.rs") {
                    let text = std::fs::read_to_string(&path).unwrap_or_default();
                    let words = text.split('"').filter(|word| word.starts_with("NOETL_"));
                    let is_name = |word: &&str| {
                        word.bytes()
                            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                    };
                    found.extend(words.filter(is_name).map(str::to_owned));
                }
            }
        }
        let mut found = Vec::new();
        search(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        assert!(found.len() > 20);
        for name in found {
            let is_stamp = name.starts_with("NOETL_STAMP_");
            assert!(is_stamp || KNOWN.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn names_that_mean_nothing_are_doubtful() {
        let text = |name| doubt(name, false).unwrap_or_default();
        assert_eq!(
            text("NOETL_DATADIR"),
            "NOETL_DATADIR is not known and is ignored; did you mean NOETL_DATA_DIR?"
        );
        assert_eq!(
            text("NOETL_RUN_MODE"),
            "NOETL_RUN_MODE is not known and is ignored"
        );
        for name in [
            "DATABSE_URL",
            "DATABASE_URI",
            "DATABASEURL",
            "DB_URL",
            "POSTGRES_URL",
        ] {
            assert!(text(name).ends_with("named by DATABASE_URL"), "{name}");
            assert_eq!(doubt(name, true), None, "{name} beside DATABASE_URL");
        }
    }

    #[test]
    fn others_are_not() {
        for name in [
            "NOETL_PORT",
            "NOETL_TEST_REGISTRY",
            "NOETL_SERVICE_HOST",
            "NOETL_SERVER_SERVICE_PORT_HTTP",
            "NOETL_SERVER_PORT",
            "NOETL_SERVER_PORT_8082_TCP_ADDR",
            "DATABASE_URL",
            "DATABASE_NAME",
            "HOME",
        ] {
            assert_eq!(doubt(name, false), None, "{name}");
        }
    }
}
