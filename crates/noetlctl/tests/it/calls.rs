//! Playbooks that call each other in a local run, and what interrupts them.

use serde_json::{Value, json};

use crate::support::{Home, show};

const HEAD: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: called}\n";

fn write(home: &Home, name: &str, workflow: &str) {
    home.write(name, &format!("{HEAD}{workflow}"));
}

#[test]
fn paths_are_seen_from_the_calling_file() {
    let home = Home::new();
    write(
        &home,
        "a/parent.yaml",
        "workflow: [{step: go, tool: {kind: playbook, path: ./b/child, args: {n: 1}}}]\n",
    );
    write(
        &home,
        "a/b/child.yaml",
        "workflow: [{step: go, tool: {kind: playbook, path: ../grandchild.yaml, args: {n: '{{ workload.n + 1 }}'}}}]\n",
    );
    write(
        &home,
        "a/grandchild.yaml",
        "workflow: [{step: go, tool: {kind: noop, args: {n: '{{ workload.n + 1 }}'}}}]\n",
    );
    let output = home
        .noetl(&["run", "a/parent.yaml", "--json"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["result"], json!({"n": 3}), "{}", show(&output));
}

#[test]
fn a_playbook_that_calls_itself_is_stopped() {
    let home = Home::new();
    write(
        &home,
        "self.yaml",
        "workflow: [{step: go, tool: {kind: playbook, path: self.yaml}}]\n",
    );
    let text = home.run(&["run", "self.yaml"]);
    assert!(
        text.contains("32 levels deep") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn a_child_that_cannot_run_says_which_file_and_why() {
    let home = Home::new();
    write(
        &home,
        "parent.yaml",
        "workflow: [{step: go, tool: {kind: playbook, path: child.yaml}}]\n",
    );
    let text = home.run(&["run", "parent.yaml"]);
    assert!(
        text.contains("there is no playbook child.yaml") && text.ends_with("[exit 1]"),
        "{text}"
    );
    write(
        &home,
        "child.yaml",
        "workflow: [{step: x, tool: {kind: nats}}]\n",
    );
    let text = home.run(&["run", "parent.yaml"]);
    assert!(
        text.contains("child.yaml:4") && text.contains("nats") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_children() {
    use std::time::Duration;
    let home = Home::new();
    write(
        &home,
        "slow.yaml",
        "workflow: [{step: go, tool: {kind: shell, cmds: 'echo $$ > begun; sleep 4; touch late'}}]\n",
    );
    let mut child = home.noetl(&["run", "slow.yaml"]).spawn().unwrap();
    let begun = home.path().join("begun");
    for _ in 0..100 {
        if begun.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        !home.path().join("late").exists(),
        "a child outlived the run"
    );
}
