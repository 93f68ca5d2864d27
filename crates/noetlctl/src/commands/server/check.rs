//! `noetl server check`: whether a server does what people want of one, asked as a browser asks.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::CheckArgs;
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::output;

/// What one request came to.
struct Answer {
    path: String,
    /// Length in bytes, or what is wrong.
    outcome: Result<usize, String>,
}

pub(crate) fn run(args: &CheckArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let mut answers = vec![
        ask(&client, "/api/health", "application/json").0,
        ask(&client, "/api/version", "application/json").0,
    ];
    if !args.no_ui {
        answers.extend(page(&client));
    }
    let good = answers.iter().all(|answer| answer.outcome.is_ok());
    let text = if args.client.json {
        let list: Vec<_> = answers
            .iter()
            .map(|Answer { path, outcome }| match outcome {
                Ok(bytes) => json!({"path": path, "ok": true, "bytes": bytes}),
                Err(error) => json!({"path": path, "ok": false, "error": error}),
            })
            .collect();
        json!({"url": client.url(), "ok": good, "answers": list}).to_string()
    } else {
        let lines = answers
            .iter()
            .map(|Answer { path, outcome }| match outcome {
                Ok(bytes) => format!("ok      {path} ({bytes} bytes)\n"),
                Err(error) => format!("failed  {path}: {error}\n"),
            });
        lines.collect()
    };
    output::though_unread(output::text(&text))?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The page, a deep link into it, and every file that it loads first.
fn page(client: &Client) -> Vec<Answer> {
    let (mut answer, html) = ask(client, "/", "text/html");
    let html = String::from_utf8_lossy(&html).into_owned();
    let assets: Vec<_> = assets(&html).collect();
    if answer.outcome.is_ok() && assets.is_empty() {
        answer.outcome = Err("it loads no script; is it NoETL's page?".to_owned());
    }
    let mut answers = vec![answer, ask(client, "/execution/1", "text/html").0];
    answers.extend(assets.into_iter().map(|path| ask(client, path, "").0));
    answers
}

/// Paths of the page's own files: `src` and `href` that stay on this server.
fn assets(html: &str) -> impl Iterator<Item = &str> {
    let values = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next());
    values.filter(|path| path.starts_with('/') && !path.starts_with("//"))
}

/// Asks for a path; an answer of another type than `expected` is wrong too.
fn ask(client: &Client, path: &str, expected: &str) -> (Answer, Vec<u8>) {
    let path = path.to_owned();
    let (outcome, bytes) = match client.file(&path) {
        Err(error) => (Err(error.to_string()), Vec::new()),
        Ok((kind, _)) if !kind.starts_with(expected) => {
            (Err(format!("it is {kind}, not {expected}")), Vec::new())
        }
        Ok((_, bytes)) if bytes.is_empty() => (Err("it is empty".to_owned()), bytes),
        Ok((_, bytes)) => (Ok(bytes.len()), bytes),
    };
    (Answer { path, outcome }, bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_page_names_its_files() {
        let html = r#"<script src="/assets/a.js"></script><link href="/assets/b.css"><a href="https://noetl.io">"#;
        let found: Vec<_> = super::assets(html).collect();
        assert_eq!(found, ["/assets/a.js", "/assets/b.css"]);
    }
}
