//! Commands without a server: logs, build, completions, man; and rules for all commands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::fake::Fake;
use crate::support::{Home, show};

#[test]
fn the_log_of_the_background_server_is_shown() {
    let home = Home::new();
    let text = home.run(&["server", "logs"]);
    assert!(
        text.starts_with("error: no background server has written ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    home.write(".noetl/noetl_server.log", "one\ntwo\nthree\n");
    assert_eq!(home.run(&["server", "logs"]), "one\ntwo\nthree\n[exit 0]");
    assert_eq!(
        home.run(&["server", "logs", "-n", "2"]),
        "two\nthree\n[exit 0]"
    );
}

#[test]
fn a_log_is_followed() {
    let home = Home::new();
    let path = home.write(".noetl/noetl_server.log", "one\ntwo\n");
    let mut child = home
        .noetl(&["server", "logs", "-f", "-n", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "two");
    let mut log = std::fs::File::options().append(true).open(&path).unwrap();
    log.write_all(b"three\n").unwrap();
    assert_eq!(next(), "three");
    std::fs::write(&path, "new\n").unwrap();
    assert_eq!(next(), "new");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_new_start_appends_to_the_log() {
    let home = Home::new();
    home.write(".noetl/noetl_server.log", "from before\n");
    let text = home.run(&["server", "start", "--detach", "--port", "0"]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    let text = home.run(&["server", "logs"]);
    assert!(text.starts_with("from before\nnoetl server "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(home.run(&["server", "stop"]).ends_with("[exit 0]"));
}

#[test]
fn build_needs_a_checkout() {
    let home = Home::new();
    let text = home.run(&["build", "--platform", "linux/arm64"]);
    assert!(
        text.contains(" is not in a checkout of NoETL\n") && text.contains("\nhelp: git clone"),
        "{text}"
    );
    assert!(text.ends_with("[exit 1]"), "{text}");
}

#[test]
#[cfg(unix)]
fn build_passes_flags_to_xtask_and_returns_its_exit_code() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.write("checkout/xtask/Cargo.toml", "");
    home.write("checkout/crates/noetlctl/Cargo.toml", "");
    let cargo = home.write("bin/cargo", "#!/bin/sh\necho \"$PWD $*\"\nexit 3\n");
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.noetl(&[
        "build",
        "--no-cache",
        "--platform",
        "linux/arm64",
        "--",
        "--dry-run",
    ]);
    command
        .current_dir(home.path().join("checkout/crates/noetlctl"))
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", home.path().join("bin").display()),
        );
    let text = show(&command.output().unwrap());
    assert!(
        text.contains("checkout xtask image --platforms linux/arm64 --dry-run\n"),
        "{text}"
    );
    assert!(
        text.contains("note: --no-cache") && text.ends_with("[exit 3]"),
        "{text}"
    );
}

#[test]
fn completions_and_man_pages_have_every_command() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = home.run(&["completions", shell]);
        assert!(
            text.contains("server-url") && text.ends_with("[exit 0]"),
            "{shell}"
        );
    }
    let text = home.run(&["man"]);
    assert!(
        text.contains(".TH noetl 1") && text.contains("catalog"),
        "{text}"
    );
    let text = home.run(&["man", "execute", "playbook"]);
    assert!(
        text.contains(".TH noetl-execute-playbook 1") && text.contains("payload"),
        "{text}"
    );
    assert!(home.run(&["man", "nonsense"]).ends_with("[exit 1]"));
}

/// Returns the lines of a section of a help text, up to the next section.
fn section(help: &str, title: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != title).skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// Returns every command below `above` with its help, `above` among them.
fn commands(home: &Home, above: &[String]) -> Vec<(Vec<String>, String)> {
    let words: Vec<&str> = above.iter().map(String::as_str).chain(["--help"]).collect();
    let help = home.run(&words);
    let below = section(&help, "Commands:");
    let names = below
        .iter()
        .filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    let mut found = vec![(above.to_vec(), help)];
    for name in names {
        found.extend(commands(home, &[above, &[name]].concat()));
    }
    found
}

/// Every command and every flag of each `--help` is in each completion script, for bash under its command, and in the
/// command's manual page.
#[test]
fn completions_and_man_pages_agree_with_the_help() {
    let home = Home::new();
    let scripts = ["bash", "elvish", "fish", "powershell", "zsh"]
        .map(|shell| (shell, home.run(&["completions", shell])));
    let pages = home.path().join("man");
    let said = home.run(&["man", "--dir", pages.to_str().unwrap()]);
    assert_eq!(said, "[exit 0]");
    let all = commands(&home, &[]);
    assert!(all.len() > 40, "{}", all.len());
    for (command, help) in &all {
        let page = format!("noetl-{}", command.join("-"));
        let page = pages.join(format!("{}.1", page.trim_end_matches('-')));
        let page =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page:?}: {error}"));
        let path = command
            .iter()
            .map(|name| format!("__subcmd__{}", name.replace('-', "__subcmd__")));
        let case = format!("        noetl{})\n", path.collect::<String>());
        let bash = scripts[0].1.split(&case).nth(1);
        let bash = bash.and_then(|rest| rest.lines().next());
        let bash = bash.unwrap_or_else(|| panic!("bash knows no {command:?}"));
        let options = section(help, "Options:");
        let flags = options.iter().filter(|line| line.starts_with('-'));
        let flags = flags.filter_map(|line| {
            let mut words = line.split([' ', ',', '=', '[']);
            words.find_map(|word| word.strip_prefix("--"))
        });
        for flag in flags {
            let option = format!("--{flag}");
            assert!(
                bash.split([' ', '"']).any(|word| word == option),
                "bash: {command:?} {option}"
            );
            assert!(
                page.contains(&flag.replace('-', "\\-")),
                "man: {command:?} {option}"
            );
            for (shell, script) in &scripts {
                let known = match *shell {
                    "fish" => format!("-l {flag}"),
                    _ => option.clone(),
                };
                assert!(script.contains(&known), "{shell}: {command:?} {option}");
            }
        }
    }
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(count, all.len(), "a page for each command");
}

#[test]
fn help_has_examples() {
    let home = Home::new();
    for command in [
        "catalog get",
        "register playbook",
        "execute playbook",
        "status",
        "cancel",
        "cleanup",
        "list",
        "query",
        "build",
        "context add",
        "get credential",
        "server logs",
        "k8s render",
        "k8s deploy",
        "k8s status",
        "k8s remove",
        "completions",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let text = home.run(&words);
        assert!(
            text.contains("Example") && text.contains(&format!("noetl {command}")),
            "{command}: {text}"
        );
    }
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_no_error() {
    let home = Home::new();
    let rows: Vec<serde_json::Value> = (0..20_000)
        .map(|number| serde_json::json!([number, "x".repeat(50)]))
        .collect();
    let fake = Fake::new(
        move |_| serde_json::json!({"status": "ok", "columns": ["a", "b"], "result": rows}),
    );
    let mut child = fake
        .command(&home, &["query", "SELECT 1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(show(&output), "[exit 0]");
}
