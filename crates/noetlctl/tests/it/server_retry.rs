//! `noetl retry`: what failed is run again, what ended well is not, and the execution says where its results come from.

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell};
#[cfg(unix)]
use crate::postgres::Postgres;
use crate::support::{Home, show};

/// A playbook whose second step fails until there is a file `ready`, and whose steps count their runs.
fn register(live: &Live, home: &str, second: &str) -> Value {
    let count = |name: &str, then: &str| shell(&format!("echo x >> {home}/{name}; {then}"));
    live.register(&playbook(
        "t/retry",
        &[
            ("one", count("one", "echo first")),
            ("two", count("two", second)),
            ("three", count("three", "echo '{{ one.stdout | trim }}'")),
        ],
    ))
}

#[test]
fn what_failed_is_run_again_with_the_results_before_it() {
    let folder = Home::new();
    let home = folder.path().to_str().unwrap().to_owned();
    let runs = |name: &str| {
        let text = std::fs::read_to_string(format!("{home}/{name}")).unwrap_or_default();
        text.lines().count()
    };
    let live = Live::new();
    register(&live, &home, &format!("test -e {home}/ready"));
    let first = live.execute("t/retry", &json!({}));
    assert_eq!(live.ended(&first)["status"], "FAILED");

    std::fs::write(format!("{home}/ready"), "").unwrap();
    let output = live.noetl(&["retry", &first, "--watch"]).output().unwrap();
    assert!(show(&output).ends_with("[exit 0]"), "{}", show(&output));
    assert_eq!((runs("one"), runs("two"), runs("three")), (1, 2, 1));
    let executions = live.get("/api/executions");
    let second = executions
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["retry_of"] == first);
    let second = second.unwrap_or_else(|| panic!("{executions}"));
    assert_eq!(second["status"], "COMPLETED");
    let id = second["execution_id"].as_str().unwrap();
    assert_eq!(live.count(id, "call.done", "one"), 1);
    assert_eq!(live.status(id)["result"]["stdout"], "first\n");

    // One that has completed is not retried, and an unknown one has its help.
    for (id, expected) in [(id, "noetl execute rerun"), ("77", "noetl list Execution")] {
        let output = live.noetl(&["retry", id]).output().unwrap();
        let text = show(&output);
        assert!(
            text.contains(expected) && text.ends_with("[exit 1]"),
            "{text}"
        );
    }
}

#[test]
fn a_newer_version_goes_on_where_the_older_one_failed() {
    let folder = Home::new();
    let home = folder.path().to_str().unwrap().to_owned();
    let live = Live::new();
    register(&live, &home, "exit 3");
    let first = live.execute("t/retry", &json!({}));
    assert_eq!(live.ended(&first)["status"], "FAILED");
    register(&live, &home, "echo repaired");
    // The version of the execution is the default, and fails again.
    let old = live.post(&format!("/api/executions/{first}/retry"), &json!({}));
    assert_eq!(old["version"], 1);
    let old = live.ended(old["execution_id"].as_str().unwrap());
    assert_eq!(old["status"], "FAILED");
    // A version that is not there is named, and so is a field that is not known.
    for (body, expected) in [
        (
            json!({"version": 77}),
            "no version 77 of the playbook `t/retry`",
        ),
        (
            json!({"version": "abc"}),
            "`abc` is neither a version's number nor `latest`",
        ),
        (json!({"versoin": 1}), "versoin"),
    ] {
        let (status, answer) = live.json("POST", &format!("/api/executions/{first}/retry"), &body);
        let detail = answer["detail"].as_str().unwrap();
        assert!(
            (400..500).contains(&status) && detail.contains(expected),
            "{status} {answer}"
        );
    }
    // The retry of a retry has the results of both.
    let output = live
        .noetl(&[
            "retry",
            old["execution_id"].as_str().unwrap(),
            "--version",
            "latest",
            "--watch",
        ])
        .output()
        .unwrap();
    assert!(show(&output).ends_with("[exit 0]"), "{}", show(&output));
    let runs = std::fs::read_to_string(format!("{home}/one")).unwrap();
    assert_eq!(runs.lines().count(), 1);
}

/// Runs, retries and lists executions over a store.
fn retries(live: &Live) {
    let folder = Home::new();
    let home = folder.path().to_str().unwrap().to_owned();
    register(live, &home, "exit 3");
    let first = live.execute("t/retry", &json!({}));
    assert_eq!(live.ended(&first)["status"], "FAILED");
    let second = live.post(&format!("/api/executions/{first}/retry"), &json!({}));
    let second = second["execution_id"].as_str().unwrap().to_owned();
    assert_eq!(live.ended(&second)["status"], "FAILED");
    assert_eq!(live.count(&second, "call.done", "one"), 1);
    let runs = std::fs::read_to_string(format!("{home}/one")).unwrap();
    assert_eq!(runs.lines().count(), 1);
    let shown = live.get(&format!("/api/executions/{second}"));
    assert_eq!(shown["retry_of"], json!(first));
    let input = live.get(&format!("/api/executions/{second}/input"));
    assert_eq!(input, json!({"payload": {}, "target": null}));

    live.register(&playbook("t/idle", &[("start", json!({"kind": "noop"}))]));
    let ids = |limit: usize| {
        let answer = live.get(&format!("/api/catalog/runs?limit={limit}"));
        assert!(answer["runs"]["t/idle"].is_null(), "{answer}");
        let runs = answer["runs"]["t/retry"].as_array().unwrap();
        let ids = runs.iter().map(|run| run["execution_id"].as_str().unwrap());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ids(5), [second.clone(), first]);
    assert_eq!(ids(1), [second]);
}

#[test]
fn retries_over_sqlite() {
    retries(&Live::new());
}

#[test]
#[cfg(unix)]
fn retries_over_postgresql() {
    if let Some(postgres) = Postgres::start() {
        retries(&Live::on(Some(postgres.database("retry")), &[], &[]));
    }
}
