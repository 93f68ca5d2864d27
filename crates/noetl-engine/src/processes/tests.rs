//! Tests of the processes of steps, with processes of their own.
#![cfg(target_os = "linux")]

use std::io::{Cursor, Read as _};
use std::process::{Child, Command, Stdio};

use super::*;

/// Starts a shell with this mark, and returns it once it has said that it is ready.
fn start(mark: &Mark, script: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env(VARIABLE, mark.as_str())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.as_mut().unwrap();
    output.read_exact(&mut [0; 6]).unwrap();
    child
}

/// Returns what a child and its descendants still write: the read ends when all of them have ended.
fn rest(mut child: Child) -> String {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child.wait().unwrap();
    text
}

const SETSID: &str = "setsid sh -c 'echo ready; sleep 1000; echo late' & wait";

#[test]
fn a_process_of_another_session_is_ended_and_one_of_another_step_is_not() {
    let (mark, other) = (Mark::new(), Mark::new());
    let child = start(&mark, SETSID);
    let left = start(&other, "echo ready; exec sleep 1000");
    mark.end(None);
    assert_eq!(rest(child), "");
    assert!(!other.processes(None).is_empty());
    other.end(None);
    assert_eq!(rest(left), "");
}

#[test]
fn descendants_without_the_mark_are_ended() {
    let mark = Mark::new();
    let script = "env -i setsid sh -c 'echo ready; sleep 1000; echo late' & wait";
    let child = start(&mark, script);
    mark.end(None);
    assert_eq!(rest(child), "");
}

#[test]
fn a_guard_ends_the_steps_that_have_not_ended() {
    let (running, ended) = (Mark::new(), Mark::new());
    let child = start(&running, SETSID);
    let left = start(&ended, "echo ready; exec sleep 1000");
    let told = format!(
        "+{}\n+{}\n-{}\n",
        ended.as_str(),
        running.as_str(),
        ended.as_str()
    );
    guard_steps(Cursor::new(told));
    assert_eq!(rest(child), "");
    assert!(!ended.processes(None).is_empty());
    ended.end(None);
    assert_eq!(rest(left), "");
}
