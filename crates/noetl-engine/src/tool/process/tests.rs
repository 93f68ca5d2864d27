//! Tests of child processes: their descendants, output and environment.
#![cfg(unix)]

use serde_json::json;
use tokio::sync::mpsc;

use crate::host::Stream;
use crate::playbook::ToolKind;
use crate::tool::tests::TestHost;

/// Returns a named pipe that a process can hold open, and the task that reads it: the read ends when the
/// process has ended.
fn liveness_pipe(host: &TestHost) -> (std::path::PathBuf, tokio::task::JoinHandle<Vec<u8>>) {
    let path = host.folder.path().join("liveness");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let reader = path.clone();
    let reading = tokio::task::spawn_blocking(move || std::fs::read(reader).unwrap());
    (path, reading)
}

#[tokio::test]
async fn dropping_a_step_ends_its_grandchildren() {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let mut host = TestHost::new();
    host.line_sender = Some(sender);
    let (path, ended) = liveness_pipe(&host);
    let script = format!(
        "sh -c 'exec 9>{}; echo alive; while :; do sleep 1000; done' & wait",
        path.display()
    );
    let config = json!({"cmds": script});
    {
        let step = host.run(ToolKind::Shell, config);
        tokio::pin!(step);
        tokio::select! {
            ended = &mut step => panic!("the step ended by itself: {ended:?}"),
            line = lines.recv() => assert_eq!(line.as_deref(), Some("alive")),
        }
    }
    // Ends only once the grandchild and its `sleep` have closed the pipe.
    assert!(ended.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_step_ends_although_a_background_process_holds_its_output() {
    let host = TestHost::new();
    // It ends when the fifo is closed, which happens after the step has ended.
    let path = host.folder.path().join("until");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let script = format!("cat {} & echo started", path.display());
    let result = host.run(ToolKind::Shell, json!({"cmds": script})).await;
    assert_eq!(result.unwrap()["stdout"], "started\n");
    let release = tokio::task::spawn_blocking(move || {
        std::fs::File::options().write(true).open(path).map(drop)
    });
    release.await.unwrap().unwrap();
}

#[tokio::test]
async fn output_is_cut_at_a_limit_with_a_note() {
    let host = TestHost::new();
    let script = "head -c 17000000 /dev/zero | tr '\\0' x; echo; echo end >&2";
    let result = host
        .run(ToolKind::Shell, json!({"cmds": script}))
        .await
        .unwrap();
    let stdout = result["stdout"].as_str().unwrap();
    let rest = 17_000_001 - super::OUTPUT_LIMIT;
    assert!(stdout.ends_with(&format!("\n… {rest} bytes more\n")));
    assert_eq!(stdout.find('\n'), Some(super::OUTPUT_LIMIT));
    assert_eq!(result["stderr"], "end\n");
    let lines = host.lines_of(Stream::Out);
    assert_eq!(lines.iter().map(String::len).sum::<usize>(), 17_000_000);
}

#[tokio::test]
async fn hidden_variables_are_not_inherited_and_given_ones_are_set() {
    let mut host = TestHost::new();
    host.tool_environment.hidden_environment = vec!["PATH".to_owned()];
    let config = json!({
        "shell": "/bin/sh", "cmds": "echo \"$(/usr/bin/env | /bin/grep -c ^PATH=) $GIVEN $NUMBER\"",
        "env": {"GIVEN": "yes", "NUMBER": 5, "ABSENT": null},
    });
    let result = host.run(ToolKind::Shell, config).await.unwrap();
    assert_eq!(result["stdout"], "0 yes 5\n");
}

#[tokio::test]
async fn a_missing_folder_is_named_in_the_failure() {
    let host = TestHost::new();
    let config = json!({"cmds": "echo", "cwd": "nowhere"});
    let failure = host.run(ToolKind::Shell, config).await.unwrap_err();
    assert_eq!(failure.kind, "config");
    assert!(failure.message.contains("nowhere"), "{failure}");
}

/// Runs a step until it has written `alive`, gives it up, and expects the end of a process of another session, which holds
/// the pipe whose path replaces `PIPE` in `config`.
#[cfg(target_os = "linux")]
async fn gives_up_a_step_with_another_session(kind: ToolKind, config: &str) {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let mut host = TestHost::new();
    host.line_sender = Some(sender);
    let (path, ended) = liveness_pipe(&host);
    let config = config.replace("PIPE", &path.display().to_string());
    {
        let step = host.run(kind, serde_json::from_str(&config).unwrap());
        tokio::pin!(step);
        tokio::select! {
            ended = &mut step => panic!("the step ended by itself: {ended:?}"),
            line = lines.recv() => assert_eq!(line.as_deref(), Some("alive")),
        }
    }
    assert!(ended.await.unwrap().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn dropping_a_step_ends_its_processes_of_other_sessions() {
    let shell = r#"{"cmds": "setsid sh -c 'exec 9>PIPE; echo alive; exec sleep 1000' & wait"}"#;
    gives_up_a_step_with_another_session(ToolKind::Shell, shell).await;
    let code = r"import subprocess\nsubprocess.Popen(['sh', '-c', 'exec 9>PIPE; echo alive; exec sleep 1000'], start_new_session=True).wait()";
    let python = format!(r#"{{"code": "{code}"}}"#);
    gives_up_a_step_with_another_session(ToolKind::Python, &python).await;
}
