//! A git remote over HTTP: `git http-backend` on a bare repository.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;

use super::server::{Received, Reply};

/// The folder of the repository, and its name in the URL.
pub(super) const NAME: &str = "noetl.git";

/// Makes the repository: that of `from`, without its newest commit on the branch of releases.
///
/// # Errors
/// When git fails.
pub(super) fn make(folder: &Utf8Path, from: &Utf8Path) -> anyhow::Result<()> {
    let bare = folder.join(NAME);
    let run = |root: &Utf8Path, words: &[&str]| {
        noetl_checkout::read(root.as_std_path(), words)
            .context("cannot make the rehearsal's git remote")
    };
    run(
        from,
        &[
            "clone",
            "--quiet",
            "--bare",
            "--no-local",
            ".",
            bare.as_str(),
        ],
    )?;
    let parent = run(from, &["rev-parse", "--verify", "--quiet", "HEAD^"]);
    let main = "refs/heads/main";
    match parent {
        Ok(parent) => run(&bare, &["update-ref", main, parent.trim()])?,
        Err(_) => run(&bare, &["update-ref", "-d", main])?,
    };
    run(&bare, &["config", "http.receivepack", "true"]).map(drop)
}

/// Returns the names of all references with what they point to.
///
/// # Errors
/// When git fails.
pub(super) fn references(folder: &Utf8Path) -> anyhow::Result<String> {
    let bare = folder.join(NAME);
    // Tags are made at different times, so that their own names differ.
    let format =
        "--format=%(refname) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)";
    Ok(noetl_checkout::read(
        bare.as_std_path(),
        &["for-each-ref", format],
    )?)
}

/// Returns the references that a push is about, as text.
pub(super) fn pushed(request: &Received) -> String {
    if !request.path.ends_with("/git-receive-pack") {
        return String::new();
    }
    let start = request.body.get(..400).unwrap_or(&request.body);
    let text = String::from_utf8_lossy(start);
    let names = text
        .split([' ', '\0'])
        .filter(|word| word.starts_with("refs/"));
    names.map(|name| format!(" {name}")).collect()
}

/// Answers by `git http-backend` (RFC 3875).
pub(super) fn handle(folder: &Utf8Path, request: &Received) -> Reply {
    backend(folder, request)
        .unwrap_or_else(|error| Reply::status(500).body(format!("{error:#}").into_bytes()))
}

fn backend(folder: &Utf8Path, request: &Received) -> anyhow::Result<Reply> {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut command = noetl_checkout::git(folder.as_std_path());
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("REMOTE_USER", "rehearsal")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().context("cannot start git http-backend")?;
    let mut input = child.stdin.take().context("standard input is a pipe")?;
    let body = request.body.clone();
    let writer = std::thread::spawn(move || drop(input.write_all(&body)));
    let output = child.wait_with_output()?;
    drop(writer.join());
    let end = output.stdout.windows(4).position(|it| it == b"\r\n\r\n");
    let end = end.ok_or_else(|| anyhow!("git http-backend gave no answer"))?;
    let mut reply = Reply::status(200).body(output.stdout[end + 4..].to_vec());
    for line in String::from_utf8_lossy(&output.stdout[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => {
                let code = status.split(' ').next().unwrap_or_default();
                reply.status = code.parse().unwrap_or(500);
            }
            Some((name, value)) => reply = reply.header(&name.to_ascii_lowercase(), value),
            None => {}
        }
    }
    Ok(reply)
}
