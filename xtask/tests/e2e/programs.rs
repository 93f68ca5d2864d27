//! The binaries on the platforms they are for: on this machine, under qemu and under wine.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Dist, command, root, succeed, tool};

/// A running server, its URL and its folder; killed when dropped.
struct Server(Child, String, TempDir);

impl Server {
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A relative path is valid under wine too.
        command.current_dir(folder.path());
        command.args(["server", "start", "--port", "0", "--data-dir", "data"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(url.starts_with("http://"), "{command:?} printed {line:?}");
        Self(child, url, folder)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let mut response = agent.get(format!("{}{path}", self.1)).call().unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Checks version, health check, web page and an asset of a binary that `run` starts, and runs playbooks.
fn check_binary(version: &str, run: impl Fn() -> Command) {
    assert_eq!(
        succeed(run().arg("--version")),
        format!("noetl {version}\n")
    );
    let server = Server::start(run());
    assert_eq!(
        server.get("/health"),
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    let (status, page) = server.get("/");
    assert_eq!(status, 200);
    let script = page.split("src=\"").find_map(|rest| {
        rest.split('"')
            .next()
            .filter(|path| path.starts_with("/assets/"))
    });
    assert_eq!(server.get(script.unwrap()).0, 200, "{page}");
    assert_eq!(server.get("/execution/123"), (200, page.clone()));
    packed(&server.1, script.unwrap());
    assert_eq!(server.get("/api/nothing").0, 404);
    assert!(server.2.path().join("data/noetl.db").is_file());
    playbooks(run);
}

/// Checks that a background server does not keep the output of its parent process open, since a reader would wait
/// for the server's end.
fn detached(run: impl Fn() -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let noetl = |words: &[&str]| {
        let mut command = run();
        command
            .args(words)
            .current_dir(folder.path())
            .env("HOME", folder.path());
        command
    };
    let words = [
        "server",
        "start",
        "--detach",
        "--port",
        "0",
        "--data-dir",
        "data",
    ];
    let mut start = noetl(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = start.stdout.take().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        send.send(text)
    });
    let said = receive.recv_timeout(Duration::from_secs(60));
    succeed(&mut noetl(&["server", "stop"]));
    assert!(said.unwrap().contains("noetl server running at http://"));
    assert!(start.wait().unwrap().success());
}

/// Runs a shell step and a Python step; without Python the step must fail with help.
fn playbooks(run: impl Fn() -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let playbook = |name: &str, tool: &str| {
        let head = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: proof}\nworkload: {word: hello}\n";
        let text = format!("{head}workflow:\n  - step: start\n    tool: {tool}\n");
        std::fs::write(folder.path().join(name), text).unwrap();
        let mut command = run();
        command
            .current_dir(folder.path())
            .args(["run", name, "--json"]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| {
            panic!(
                "{name}: {error}: {said:?} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
        (output.status.success(), report)
    };
    let (good, report) = playbook(
        "shell.yaml",
        "{kind: shell, cmds: \"echo {{ word }} shell\"}",
    );
    assert!(good, "{report}");
    let printed = report["steps"]["start"]["stdout"].as_str().unwrap();
    assert_eq!(printed.trim(), "hello shell");
    let code = "{kind: python, args: {word: \"{{ word }}\"}, code: \"result = word.upper()\"}";
    let (good, report) = playbook("python.yaml", code);
    if good {
        assert_eq!(report["result"], "HELLO");
    } else {
        let error = &report["error"];
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("no Python on this machine"),
            "{report}"
        );
        assert!(
            error["help"].as_str().unwrap().contains("install Python"),
            "{report}"
        );
    }
}

/// Checks that the embedded page is sent as compressed at build time, and not sent again to a client that has it.
fn packed(url: &str, script: &str) {
    // The agent does not decompress, since xtask builds it without gzip.
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let ask = |name: &str, value: &str| {
        agent
            .get(format!("{url}{script}"))
            .header(name, value)
            .call()
            .unwrap()
    };
    let mut gzip = ask("accept-encoding", "gzip");
    assert_eq!(gzip.headers()["content-encoding"], "gzip");
    let etag = gzip.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = gzip.body_mut().read_to_vec().unwrap();
    assert!(
        bytes.starts_with(b"\x1f\x8b") && etag.ends_with("-gz\""),
        "{etag}"
    );
    let plain = ask("accept-encoding", "br")
        .body_mut()
        .read_to_vec()
        .unwrap();
    assert!(plain.len() > 2 * bytes.len());
    let known = agent
        .get(format!("{url}{script}"))
        .header("accept-encoding", "gzip")
        .header("if-none-match", &etag);
    assert_eq!(known.call().unwrap().status(), 304);
    let head = agent.head(format!("{url}{script}")).call().unwrap();
    assert_eq!(head.headers()["content-length"], plain.len().to_string());
}

fn version(dist: &Dist) -> String {
    dist.manifest["release"]["version"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn linux_on_this_machine() {
    let Some(dist) = Dist::find() else { return };
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let (Some(archive), true) = (dist.archive(&target), cfg!(target_os = "linux")) else {
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let Some(binary) = archive.unpack(unpacked.path()) else {
        return;
    };
    check_binary(&version(&dist), || command(&binary));
    detached(|| command(&binary));
}

/// Loads the shipped binary's web page in a browser, under its Content-Security-Policy.
#[test]
fn the_page_runs_in_chromium() {
    let Some(dist) = Dist::find() else { return };
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let (Some(archive), Some(mut chromium)) = (dist.archive(&target), tool("chromium")) else {
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let Some(binary) = archive.unpack(unpacked.path()) else {
        return;
    };
    let server = Server::start(command(binary));
    let profile = unpacked.path().join("profile");
    // No sandbox, since CI runs as root. The other flags prevent connections to Google's hosts.
    let dom = succeed(
        chromium
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(["--virtual-time-budget=10000", "--dump-dom"])
            .arg(format!("{}/about", server.1)),
    );
    assert!(
        dom.contains("Executions") && dom.contains("Credentials"),
        "{dom}"
    );
    assert!(dom.contains(&version(&dist)), "{dom}");
}

#[test]
fn linux_arm64_under_qemu() {
    let Some(dist) = Dist::find() else { return };
    let Some(archive) = dist.archive("aarch64-unknown-linux-musl") else {
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let Some(binary) = archive.unpack(unpacked.path()) else {
        return;
    };
    if tool("qemu-aarch64-static").is_none() {
        return;
    }
    check_binary(&version(&dist), || {
        let mut qemu = command("qemu-aarch64-static");
        qemu.arg(&binary);
        qemu
    });
}

#[test]
fn windows_x64_under_wine() {
    let Some(dist) = Dist::find() else { return };
    let Some(archive) = dist.archive("x86_64-pc-windows-gnu") else {
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let Some(binary) = archive.unpack(unpacked.path()) else {
        return;
    };
    if tool("wine").is_none() {
        return;
    }
    provide_random(binary.parent().unwrap());
    let prefix = unpacked.path().join("wine");
    let wine = || {
        let mut wine = command("wine");
        wine.arg(&binary)
            .env("WINEPREFIX", &prefix)
            .env("WINEDEBUG", "-all");
        wine
    };
    // detached comes first: wine has one home folder for all, and a killed server leaves its pid file in it.
    detached(wine);
    check_binary(&version(&dist), wine);
}

/// Builds bcryptprimitives.dll, which Rust programs import and wine 8 lacks. Windows has it since version 7.
fn provide_random(folder: &Path) {
    let source = folder.join("random.c");
    std::fs::write(
        &source,
        "#include <windows.h>\nBOOLEAN NTAPI SystemFunction036(PVOID, ULONG);\n\
         __declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {\n\
         return SystemFunction036(data, (ULONG)size); }\n",
    )
    .unwrap();
    let tools = crate::support::variable("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into);
    let zig = std::fs::read_dir(tools.join("xtask/tools"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let zig = zig
        .map(|folder| folder.join("ziglang/zig"))
        .find(|zig| zig.is_file())
        .unwrap();
    let library = folder.join("bcryptprimitives.dll");
    let target = [
        "cc",
        "-target",
        "x86_64-windows-gnu",
        "-shared",
        "-ladvapi32",
        "-o",
    ];
    succeed(command(zig).args(target).arg(library).arg(source));
}
