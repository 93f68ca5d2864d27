//! What reaches a terminal from a hostile server, a playbook, or a program that a step runs.
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::live::{Live, playbook, shell};
use crate::support::{Home, show};

/// Clears the screen, sets the title, reverses text, and is C1 and DEL.
const HOSTILE: &str = "a\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{202e}d\u{9b}31me\u{7f}f\rg\u{8}h";

/// Runs `noetl` on a terminal, and returns what reached it.
fn on_terminal(mut command: Command) -> String {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut script = Command::new("script");
    script
        .args([
            "--quiet",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ])
        .current_dir(command.current_dir("/").get_current_dir().unwrap())
        .env("TERM", "xterm")
        .env("NO_COLOR", "1");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let output = script.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A terminal ends its lines with `\r\n`; all other control characters are somebody's.
fn check(shown: &str, what: &str) {
    let mut text = shown.replace("\r\n", "\n");
    // The codes of progress and statuses.
    for own in ["\r\u{1b}[2K", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"] {
        text = text.replace(own, "");
    }
    let found = text.chars().find(|character| {
        character.is_control() && !matches!(character, '\n' | '\t')
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(found, None, "{what}: {text:?}");
    assert!(text.contains("title"), "{what} shows nothing: {text:?}");
}

#[test]
fn the_text_of_a_server_changes_no_terminal() {
    let home = Home::new();
    let problem = json!({
        "message": HOSTILE, "severity": "error", "help": HOSTILE,
        "place": {"file": HOSTILE, "line": 1, "column": 1},
    });
    let refusal = json!({"detail": HOSTILE, "help": HOSTILE, "problems": [problem]});
    let fake = Fake::new(move |_| (422, refusal.clone()));
    let file = home.write("p.yaml", &playbook("t/x", &[("start", shell("true"))]));
    for args in [
        &["list", "Execution"][..],
        &["status", "1"],
        &["register", "playbook", "--file", file.to_str().unwrap()],
        &["catalog", "get", "x"],
        &["query", "SELECT 1"],
    ] {
        check(
            &on_terminal(fake.command(&home, args)),
            &format!("{args:?}"),
        );
    }
    let entry = json!({
        "catalog_id": "1", "path": "x", "name": "x", "version": 1, "kind": "Playbook", "description": null,
        "content": HOSTILE, "layout": null, "payload": null, "meta": {}, "created_at": "2026-11-23T12:00:00Z",
    });
    let fake = Fake::new(move |_| entry.clone());
    let args = ["catalog", "get", "x"];
    check(&on_terminal(fake.command(&home, &args)), "the content");
    // Into a pipe it goes as it is.
    let piped = fake.command(&home, &args).output().unwrap();
    assert!(
        String::from_utf8_lossy(&piped.stdout).starts_with(HOSTILE),
        "{}",
        show(&piped)
    );
    let json = fake.command(&home, &["catalog", "get", "x", "--json"]);
    let shown = on_terminal(json);
    check(&shown, "JSON");
    let document: Value = serde_json::from_str(shown.trim()).unwrap();
    assert_eq!(document["content"], HOSTILE);
}

#[test]
fn the_output_of_a_step_and_its_playbook_change_no_terminal() {
    let home = Home::new();
    let script = format!("printf '%s\\n' '{}'", HOSTILE.replace('\r', ""));
    let file = home.write("p.yaml", &playbook("t/x", &[("start", shell(&script))]));
    let run = home.noetl(&["run", file.to_str().unwrap(), "--runtime", "local"]);
    check(&on_terminal(run), "a step's output");
    let named = playbook("t/x", &[(HOSTILE, shell("exit 1"))]);
    let file = home.write("named.yaml", &named);
    let run = home.noetl(&["run", file.to_str().unwrap(), "--runtime", "local"]);
    check(&on_terminal(run), "a step's name");
}

#[test]
fn names_with_control_characters_are_refused() {
    let live = Live::new();
    let steps = [("start", shell("true"))];
    for content in [
        playbook("t/\u{1b}[2J", &steps),
        playbook("t/x\u{0}", &steps),
        playbook(
            "t/x",
            &[("start", shell("true")), ("\u{1b}c", shell("true"))],
        ),
    ] {
        let (status, answer) = live.json(
            "POST",
            "/api/catalog/register",
            &json!({ "content": content }),
        );
        assert_eq!(status, 422, "{answer}");
        assert!(answer.to_string().contains("control character"), "{answer}");
    }
    let credential = json!({"name": "c\u{1b}", "type": "bearer", "data": {"token": "t"}});
    live.expect(422, "POST", "/api/credentials", &credential);
    let worker = json!({"name": "w\u{7}"});
    live.expect(422, "POST", "/api/worker/pool/register", &worker);
}

#[test]
fn a_token_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.write("token", "secret\n");
    let fake = Fake::new(|_| json!([]));
    let args = ["list", "Execution", "--token-file", file.to_str().unwrap()];
    for (mode, ending) in [
        (0o644, "[exit 1]"),
        (0o640, "[exit 1]"),
        (0o600, "[exit 0]"),
    ] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let shown = fake.run(&home, &args);
        assert!(shown.ends_with(ending), "{mode:o}: {shown}");
        if mode != 0o600 {
            assert!(shown.contains("other users may read"), "{shown}");
            assert!(
                shown.contains(&format!("help: chmod 600 {}", file.display())),
                "{shown}"
            );
        }
    }
}
