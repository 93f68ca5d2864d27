//! `cargo xtask size`: the bytes of what ships, by target, section and crate, against the record and the budgets.

mod crates;
mod parts;
mod treemap;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use camino::Utf8PathBuf;
use clap::Args;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};

use self::parts::Parts;
use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::release::version::Release;

/// Print the bytes of binaries, image and page, by section and crate
#[derive(Debug, Args)]
#[command(
    after_help = "Reads the binaries and the image of a dist, and the page in ui-src/dist. Fails when something is larger than its \
    budget.\n\nExamples:\n  \
    cargo xtask size                            against docker/size.json\n  \
    cargo xtask size --crates                   by crate as well; compiles a binary with symbols\n  \
    cargo xtask size --html target/size.html    a treemap\n  \
    cargo xtask size --save                     write docker/size.json"
)]
pub(crate) struct SizeArgs {
    /// Print JSON: each part with its bytes, those of the record and its budget
    #[arg(long)]
    json: bool,
    /// Write a page with a treemap
    #[arg(long, value_name = "FILE")]
    html: Option<Utf8PathBuf>,
    /// Show what each crate has in this machine's binary; compiles one with symbols
    #[arg(long)]
    crates: bool,
    /// Write docker/size.json
    #[arg(long)]
    save: bool,
    /// The dist that is read
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: Utf8PathBuf,
}

/// The most bytes that parts may have. A path names a part together with all below it.
const BUDGETS: &[(&str, u64)] = &[
    ("binary/x86_64-unknown-linux-musl", 16_000_000),
    ("image/linux/amd64", 8_000_000),
    ("image/linux/arm64", 8_000_000),
    ("page", 3_300_000),
];

const RECORD: &str = "docker/size.json";

/// The record of an earlier commit.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    commit: String,
    /// Bytes by path.
    parts: BTreeMap<String, u64>,
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Line {
    path: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<u64>,
}

pub(crate) fn run(ctx: &Ctx, args: &SizeArgs) -> anyhow::Result<()> {
    let mut parts = Parts::default();
    parts.add_dist(&ctx.root.join(&args.dist))?;
    parts.add_page(ctx)?;
    if args.crates {
        crates::add(ctx, &mut parts)?;
    }
    let record = read_record(ctx)?;
    let before = record
        .as_ref()
        .map(|record| Parts::from(record.parts.clone()));
    if let Some(path) = &args.html {
        files::write(path, treemap::page(&parts))?;
    }
    let lines = lines(&parts, before.as_ref());
    if args.json {
        output::json(&lines)?;
    } else {
        let table: String = lines
            .iter()
            .filter(|line| line.is_shown())
            .map(Line::text)
            .collect();
        output::print(&table)?;
    }
    if args.save {
        let record = Record {
            commit: Release::read(ctx)?.commit,
            parts: parts.into_leaves(),
        };
        files::write(
            &ctx.root.join(RECORD),
            serde_json::to_string_pretty(&record)? + "\n",
        )?;
    }
    within_budgets(&lines)
}

fn read_record(ctx: &Ctx) -> anyhow::Result<Option<Record>> {
    let path = ctx.root.join(RECORD);
    if !path.is_file() {
        return Ok(None);
    }
    let record = serde_json::from_str(&files::read_to_string(&path)?);
    let record = record.with_context(|| format!("cannot read {path}"));
    record.map(Some).help("cargo xtask size --save")
}

/// Returns a line for each part and for each group of parts.
fn lines(parts: &Parts, before: Option<&Parts>) -> Vec<Line> {
    let totals = parts.totals();
    let before = before.map(Parts::totals).unwrap_or_default();
    let line = |(path, bytes): (String, u64)| Line {
        before: before.get(&path).copied(),
        budget: BUDGETS
            .iter()
            .find(|(of, _)| *of == path)
            .map(|(_, most)| *most),
        path,
        bytes,
    };
    totals.into_iter().map(line).collect()
}

impl Line {
    /// Whether the table has it: what is small or below a third level is only in the JSON.
    fn is_shown(&self) -> bool {
        self.path.matches('/').count() <= 2 && self.bytes >= 20_000
    }

    fn text(&self) -> String {
        let depth = self.path.matches('/').count();
        let name = match depth {
            0 => self.path.as_str(),
            _ => self.path.rsplit('/').next().unwrap_or_default(),
        };
        let name = format!("{}{name}", "  ".repeat(depth));
        let change = match self.before {
            Some(before) if before != self.bytes => {
                format!(
                    "{:+.1} %",
                    (self.bytes as f64 / before as f64 - 1.0) * 100.0
                )
            }
            Some(_) => "same".to_owned(),
            None => String::new(),
        };
        let budget = self
            .budget
            .map_or_else(String::new, |most| format!("of {most} allowed"));
        let line = format!("{name:<52}{:>12}  {change:>9}  {budget}", self.bytes);
        line.trim_end().to_owned() + "\n"
    }
}

/// # Errors
/// When a part is larger than its budget.
fn within_budgets(lines: &[Line]) -> anyhow::Result<()> {
    let over = lines
        .iter()
        .filter(|line| line.budget.is_some_and(|most| line.bytes > most));
    let over: Vec<_> = over
        .map(|line| format!("{} ({} bytes)", line.path, line.bytes))
        .collect();
    let result = (|| {
        ensure!(
            over.is_empty(),
            "larger than the budget: {}",
            over.join(", ")
        );
        Ok(())
    })();
    result.help("`cargo xtask size --crates` shows what has grown; the budgets are in xtask/src/tasks/size.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(entries: &[(&str, u64)]) -> Parts {
        let entries = entries
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), *bytes));
        Parts::from(entries.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn groups_have_the_sum_of_their_parts_and_the_change() {
        let now = parts(&[("page/a.js", 30_000), ("page/b.js", 10_000)]);
        let before = parts(&[("page/a.js", 20_000)]);
        let text: String = lines(&now, Some(&before)).iter().map(Line::text).collect();
        insta::assert_snapshot!(text, @r"
        page                                                       40000   +100.0 %  of 3300000 allowed
          a.js                                                     30000    +50.0 %
          b.js                                                     10000
        ");
    }

    #[test]
    fn what_is_larger_than_its_budget_fails() {
        assert!(within_budgets(&lines(&parts(&[("page/a.js", 3_300_000)]), None)).is_ok());
        let error = within_budgets(&lines(&parts(&[("page/a.js", 3_300_001)]), None)).unwrap_err();
        assert!(
            error.to_string().contains("page (3300001 bytes)"),
            "{error}"
        );
    }
}
