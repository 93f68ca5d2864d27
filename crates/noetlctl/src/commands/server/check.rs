//! `noetl server check`: requests what a browser requests of a server, and reports each answer.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::client::RootArgs;
use crate::cli::server::CheckArgs;
use crate::client::Client;
use crate::output;

/// The outcome of one request.
struct Answer {
    path: String,
    /// The length in bytes, or what is wrong.
    outcome: Result<usize, String>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    url: &'a str,
    /// Whether each answer is as expected.
    ok: bool,
    answers: Vec<CheckedAnswer<'a>>,
}

/// One answer in the output of `--json`: its length, or what is wrong.
#[derive(Serialize)]
struct CheckedAnswer<'a> {
    path: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> CheckedAnswer<'a> {
    fn of(Answer { path, outcome }: &'a Answer) -> Self {
        Self {
            path,
            ok: outcome.is_ok(),
            bytes: outcome.as_ref().ok().copied(),
            error: outcome.as_ref().err().map(String::as_str),
        }
    }
}

pub(super) fn run(args: &CheckArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let mut answers = vec![
        request(&client, "/api/health", "application/json").0,
        request(&client, "/api/version", "application/json").0,
    ];
    if !args.no_ui {
        answers.extend(page(&client));
    }
    let all_served = answers.iter().all(|answer| answer.outcome.is_ok());
    let text = if args.client.json {
        serde_json::to_string(&Report {
            url: client.url(),
            ok: all_served,
            answers: answers.iter().map(CheckedAnswer::of).collect(),
        })?
    } else {
        let lines = answers
            .iter()
            .map(|Answer { path, outcome }| match outcome {
                Ok(bytes) => format!("ok      {path} ({bytes} bytes)\n"),
                Err(error) => format!("failed  {path}: {error}\n"),
            });
        lines.collect()
    };
    output::ignore_broken_pipe(output::text(&text))?;
    Ok(if all_served {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Requests the page, a deep link into it, and every file that it loads at first.
fn page(client: &Client) -> Vec<Answer> {
    let (mut answer, html) = request(client, "/", "text/html");
    let html = String::from_utf8_lossy(&html).into_owned();
    let assets: Vec<_> = assets(&html).collect();
    if answer.outcome.is_ok() && assets.is_empty() {
        answer.outcome = Err("the page loads no script; is it the page of NoETL?".to_owned());
    }
    let mut answers = vec![answer, request(client, "/execution/1", "text/html").0];
    answers.extend(assets.into_iter().map(|path| request(client, path, "").0));
    answers
}

/// Returns the paths of the page's own files: each `src` and `href` on the same server.
fn assets(html: &str) -> impl Iterator<Item = &str> {
    let values = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next());
    values.filter(|path| path.starts_with('/') && !path.starts_with("//"))
}

/// Requests a path. An answer whose content type does not start with `expected` is wrong too.
fn request(client: &Client, path: &str, expected: &str) -> (Answer, Vec<u8>) {
    let path = path.to_owned();
    let (outcome, bytes) = match client.file(&path) {
        Err(error) => (Err(error.to_string()), Vec::new()),
        Ok((kind, _)) if !kind.starts_with(expected) => (
            Err(format!("the content type is {kind}, not {expected}")),
            Vec::new(),
        ),
        Ok((_, bytes)) if bytes.is_empty() => (Err("the answer is empty".to_owned()), bytes),
        Ok((_, bytes)) => (Ok(bytes.len()), bytes),
    };
    (Answer { path, outcome }, bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_files_of_a_page_are_found() {
        let html = r#"<script src="/assets/a.js"></script><link href="/assets/b.css"><a href="https://noetl.io">"#;
        let found: Vec<_> = super::assets(html).collect();
        assert_eq!(found, ["/assets/a.js", "/assets/b.css"]);
    }
}
