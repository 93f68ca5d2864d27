//! Local runs of playbooks that call each other, and their interruption.

use serde_json::{Value, json};

use crate::support::{Home, show};

const HEAD: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: called}\n";

fn write(home: &Home, name: &str, workflow: &str) {
    home.write(name, &format!("{HEAD}{workflow}"));
}

#[test]
fn paths_are_relative_to_the_calling_file() {
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
fn the_error_of_a_called_playbook_names_its_file() {
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
fn an_interrupt_ends_the_processes_of_a_step() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;
    let home = Home::new();
    let pipe = home.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    write(
        &home,
        "slow.yaml",
        "workflow: [{step: go, tool: {kind: shell, cmds: 'exec 3> pipe; echo started >&3; sleep 600; true'}}]\n",
    );
    let mut run = home.noetl(&["run", "slow.yaml"]).spawn().unwrap();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(std::fs::File::open(pipe).unwrap());
        // The last read returns nothing when both processes, the shell and sleep, have ended.
        for _ in 0..2 {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            sender.send(line).unwrap();
        }
    });
    let next = || lines.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(next(), "started\n");
    let id = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(next(), "");
}
