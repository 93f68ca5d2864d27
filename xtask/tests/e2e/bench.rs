//! `bench` and `size` on the dist of the tests: the figures of one round, and what a budget is for.

use serde_json::Value;

use crate::support::{Dist, engine, succeed, tool, xtask};

fn figures(args: &[&str], dist: &Dist) -> Vec<Value> {
    let mut bench = xtask(&["bench"]);
    bench.args(args).args(["--rounds", "1", "--json", "--dist"]);
    let printed = succeed(bench.arg(&dist.folder));
    let answer: Value = serde_json::from_str(&printed).unwrap();
    answer["figures"].as_array().unwrap().clone()
}

fn figure<'a>(figures: &'a [Value], work: &str, unit: &str) -> &'a Value {
    let mut found = figures
        .iter()
        .filter(|figure| figure["work"] == work && figure["unit"] == unit);
    let found = found.next();
    found.unwrap_or_else(|| panic!("no {work} in {unit}: {figures:#?}"))
}

#[test]
fn a_round_gives_figures_that_can_be_compared() {
    let Some(dist) = Dist::find() else { return };
    if dist.image().is_none() {
        return;
    }
    let figures = figures(&["check", "size"], &dist);
    let check = figure(&figures, "the tar of two platforms", "seconds");
    assert!(check["median"].as_f64().unwrap() > 0.0, "{check}");
    assert_eq!(check["runs"], 1);
    let memory = figure(&figures, "the tar of two platforms", "bytes");
    assert!(memory["median"].as_f64().unwrap() > 1e6, "{memory}");
    for archive in dist.archives() {
        let work = format!("binary of {}", archive.target);
        let size = &figure(&figures, &work, "bytes")["median"];
        assert_eq!(
            size.as_f64(),
            archive.content["binary_size"].as_f64(),
            "{work}"
        );
    }
}

#[test]
fn a_push_of_the_same_image_is_measured_beside_skopeo() {
    let (Some(dist), Some(registry)) = (Dist::find(), engine()) else {
        return;
    };
    if dist.image().is_none() {
        return;
    }
    let figures = figures(&["push"], &dist);
    let push = figure(&figures, "the same image again", "seconds");
    assert_eq!(push["peers"][0]["name"], "skopeo", "{registry}: {push}");
    assert!(push["peers"][0]["ratio"].as_f64().unwrap() > 0.0, "{push}");
}

#[test]
fn requests_to_a_large_store_are_measured_in_both_databases() {
    let Some(dist) = Dist::find() else { return };
    if tool("pg_ctlcluster").is_none() {
        return;
    }
    let figures = figures(&["store", "--quick"], &dist);
    for store in ["SQLite", "PostgreSQL"] {
        for what in ["the newest executions", "start of an execution"] {
            let work = format!("{what}, 100000 in {store}");
            let seconds = figure(&figures, &work, "seconds")["median"].as_f64();
            assert!(seconds.unwrap() > 0.0, "{work}");
        }
    }
}

#[test]
fn sizes_add_up_to_the_binaries() {
    let Some(dist) = Dist::find() else { return };
    let printed = succeed(xtask(&["size", "--json", "--dist"]).arg(&dist.folder));
    let lines: Vec<Value> = serde_json::from_str(&printed).unwrap();
    for archive in dist.archives() {
        let path = format!("binary/{}", archive.target);
        let line = lines
            .iter()
            .find(|line| line["path"] == path.as_str())
            .unwrap();
        assert_eq!(line["bytes"], archive.content["binary_size"], "{path}");
    }
}
