//! Tests of scripts: their input, shell and output.
#![cfg(unix)]

use serde_json::json;

use crate::host::Stream;
use crate::playbook::ToolKind::Shell;
use crate::tool::tests::TestHost;

#[tokio::test]
async fn the_lines_of_one_script_share_their_variables() {
    let host = TestHost::new();
    let script = "NAME=world\necho \"hello $NAME\"\npwd\n";
    let result = host.run(Shell, json!({"cmds": script})).await.unwrap();
    let folder = host.folder.path().canonicalize().unwrap();
    assert_eq!(
        result["stdout"],
        format!("hello world\n{}\n", folder.display())
    );
    assert_eq!(result["exit_code"], 0);
    assert_eq!(host.lines_of(Stream::Out)[0], "hello world");
}

#[tokio::test]
async fn the_items_of_a_list_are_separate_scripts() {
    let host = TestHost::new();
    let cmds = json!({"cmds": ["A=1; printf first", "echo \"second $A\""]});
    let result = host.run(Shell, cmds).await.unwrap();
    assert_eq!(result["stdout"], "first\nsecond \n");
}

#[tokio::test]
async fn the_first_failure_ends_the_list() {
    let host = TestHost::new();
    let cmds =
        json!({"command": ["echo one", "echo two; echo why >&2; echo >&2; exit 3", "echo three"]});
    let failure = host.run(Shell, cmds).await.unwrap_err();
    assert_eq!(failure.kind, "exit");
    assert_eq!(failure.code, Some(json!(3)));
    assert_eq!(failure.message, "exited with code 3: why");
    assert!(!failure.retryable);
    let result = failure.result.unwrap();
    assert_eq!(
        result,
        json!({"stdout": "one\ntwo\n", "stderr": "why\n\n", "exit_code": 3})
    );
}

#[tokio::test]
async fn a_signal_is_named_in_the_failure() {
    let failure = TestHost::new()
        .run(Shell, json!({"cmd": "kill -TERM $$"}))
        .await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.message, "was killed by SIGTERM");
    assert_eq!(failure.code, Some(json!(143)));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn fields_set_the_input_and_the_shell() {
    let host = TestHost::new();
    let run =
        "read line; shell=$(tr '\\0' ' ' < /proc/$$/cmdline); echo \"${shell%% *} got $line\"";
    let config = json!({"run": run, "shell": "sh", "stdin": "a line\n"});
    let result = host.run(Shell, config).await.unwrap();
    assert_eq!(result["stdout"], "sh got a line\n");
    let silent = host.run(Shell, json!({"run": "cat; echo end"})).await;
    assert_eq!(silent.unwrap()["stdout"], "end\n");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_too_large_for_a_program_is_named_by_its_field() {
    let host = TestHost::new();
    let config =
        json!({"run": "true", "shell": "sh", "env": {"SMALL": "x", "BIG": "x".repeat(3 << 20)}});
    let failure = host.run(Shell, config).await.unwrap_err();
    assert!(
        failure
            .message
            .contains("the field `env.BIG` has 3145728 bytes"),
        "{failure}"
    );
    assert!(failure.help.is_some_and(|help| help.contains("`stdin`")));
}

#[tokio::test]
async fn scripts_longer_than_an_argument_are_run() {
    let script = format!("X='{}'\necho ${{#X}}", "x".repeat(300_000));
    let result = TestHost::new().run(Shell, json!({"cmds": script})).await;
    assert_eq!(result.unwrap()["stdout"], "300000\n");
}

#[tokio::test]
async fn output_that_is_not_utf8_does_not_fail_the_step() {
    let result = TestHost::new()
        .run(Shell, json!({"cmds": "printf 'a\\377b'"}))
        .await;
    assert_eq!(result.unwrap()["stdout"], "a\u{fffd}b");
}

#[tokio::test]
async fn a_missing_shell_is_named_in_the_failure() {
    let config = json!({"cmds": "echo", "shell": "no-such-shell"});
    let failure = TestHost::new().run(Shell, config).await.unwrap_err();
    assert_eq!(failure.kind, "shell");
    assert!(failure.message.contains("`no-such-shell`"), "{failure}");
    let wrong = TestHost::new().run(Shell, json!({"cmds": [1]})).await;
    assert_eq!(wrong.unwrap_err().kind, "config");
}
