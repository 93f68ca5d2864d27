//! `noetl logs`: prints what the steps of an execution print.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use noetl_api::log::{LogLine, LogPage, LogQuery, LogStream};
use noetl_help::Help as _;

use super::status::request::unknown_execution;
use crate::cli::client::RootArgs;
use crate::cli::logs::LogsArgs;
use crate::client::error::Error;
use crate::client::{Client, encode};
use crate::output;

/// How often new lines are asked for.
const PAUSE: Duration = Duration::from_millis(300);
/// How often a server that does not answer is asked again, with a pause that grows to a second.
const ATTEMPTS: u32 = 30;
/// How many lines are asked for at once.
const PAGE: i64 = 5000;

pub(super) fn run(args: &LogsArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let query = LogQuery {
        step: args.step.clone(),
        attempt: args.attempt,
        item: args.item,
        after: None,
        limit: Some(PAGE),
    };
    let mut gaps = Gaps::default();
    each(&client, &args.id, query, args.follow, |line| {
        if args.client.json {
            return output::text(&serde_json::to_string(line)?);
        }
        if let Some(count) = gaps.before(line) {
            output::text(&format!("… {count} lines are not kept"))?;
        }
        output::text(&text(line, args.timestamps))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Passes the lines of an execution to `take`: those that there are or, with `follow`, also those that come until it ends.
pub(super) fn each(
    client: &Client,
    id: &str,
    mut query: LogQuery,
    follow: bool,
    mut take: impl FnMut(&LogLine) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let path = format!("/api/executions/{}/logs", encode(id));
    let mut failures = 0;
    loop {
        let page: Result<LogPage, Error> = client.get(&path, &query);
        let page = match page {
            Ok(page) => page,
            Err(error) if error.status.is_some_and(|status| status < 500) => {
                return Err(unknown_execution(error, id));
            }
            Err(error) if !follow || failures == ATTEMPTS => return Err(error.into()),
            Err(error) => {
                if failures == 0 {
                    note!("warning: {error}; trying again");
                }
                failures += 1;
                thread::sleep(PAUSE * failures.min(4));
                continue;
            }
        };
        failures = 0;
        page.lines.iter().try_for_each(&mut take)?;
        query.after = Some(page.after);
        if page.more {
            continue;
        }
        // The server reads the status before the lines, so that an ended execution has no more of them.
        if !follow || page.status.is_final() {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}

/// Makes the file of `--logs`.
pub(super) fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path)
        .with_context(|| format!("cannot write {}", path.display()))
        .help("its folder must exist and be writable")
}

/// Writes what the steps of an execution have printed to a file.
pub(super) fn save(client: &Client, id: &str, file: File) -> anyhow::Result<()> {
    let mut file = BufWriter::new(file);
    let query = LogQuery {
        limit: Some(PAGE),
        ..LogQuery::default()
    };
    each(client, id, query, false, |line| {
        Ok(writeln!(file, "{}", text(line, true))?)
    })?;
    file.flush().context("cannot write the file of --logs")
}

/// Returns a line as it is printed.
pub(super) fn text(line: &LogLine, timestamps: bool) -> String {
    let time = match timestamps {
        true => format!("{} ", line.time),
        false => String::new(),
    };
    let item = line.item.map(|item| format!("[{item}]"));
    let attempt = (line.attempt > 1).then(|| format!("#{}", line.attempt));
    format!(
        "{time}{}{}{} {} {}",
        line.step,
        item.unwrap_or_default(),
        attempt.unwrap_or_default(),
        mark(line.stream),
        line.text
    )
}

/// Returns the character between a label and its line.
pub(super) fn mark(stream: LogStream) -> char {
    match stream {
        LogStream::Stdout => '|',
        LogStream::Stderr => '!',
        LogStream::Note => '~',
    }
}

/// Finds lines that are not kept, by the numbers of those that are.
#[derive(Debug, Default)]
struct Gaps {
    last: std::collections::HashMap<(String, Option<u32>, u32), i64>,
}

impl Gaps {
    /// Returns how many lines of the same attempt are missing before this one.
    fn before(&mut self, line: &LogLine) -> Option<i64> {
        let key = (line.step.clone(), line.item, line.attempt);
        let last = self.last.insert(key, line.line).unwrap_or(0);
        // A step that is entered again begins at 1 again.
        Some(line.line - last - 1).filter(|missing| *missing > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: i64) -> LogLine {
        LogLine {
            step: "load".to_owned(),
            item: None,
            attempt: 1,
            line: number,
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            stream: LogStream::Stderr,
            text: "late".to_owned(),
        }
    }

    #[test]
    fn a_line_has_the_step_the_item_and_the_attempt() {
        assert_eq!(text(&line(1), false), "load ! late");
        let second = LogLine {
            item: Some(3),
            attempt: 2,
            stream: LogStream::Note,
            ..line(1)
        };
        assert_eq!(
            text(&second, true),
            "2026-01-01T00:00:00.000Z load[3]#2 ~ late"
        );
    }

    #[test]
    fn lines_that_are_not_kept_are_counted() {
        let mut gaps = Gaps::default();
        let counts = [1, 2, 10, 11].map(|number| gaps.before(&line(number)));
        assert_eq!(counts, [None, None, Some(7), None]);
    }
}
