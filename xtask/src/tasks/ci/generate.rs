//! `cargo xtask ci generate`: writes the workflows and parts of README.md, from the lists of targets and jobs.

use anyhow::anyhow;
use clap::Args;
use noetl_help::Help as _;

use crate::ci::documents::{self, README};
use crate::ci::workflows::{self, FOLDER};
use crate::host::ctx::Ctx;
use crate::host::{files, output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask ci generate\n  cargo xtask ci generate --check")]
pub(super) struct GenerateArgs {
    /// Write nothing; fail when a file differs from what would be written, and print the first line that does
    #[arg(long)]
    check: bool,
}

pub(super) fn run(ctx: &Ctx, args: &GenerateArgs) -> anyhow::Result<()> {
    if args.check {
        return check(ctx);
    }
    for (path, text) in generated(ctx)? {
        let path = ctx.root.join(path);
        files::write(&path, text)?;
        output::line(path)?;
    }
    Ok(())
}

/// Prints the first difference of each file from what would be written, and fails when there is one.
pub(super) fn check(ctx: &Ctx) -> anyhow::Result<()> {
    let differences = differences(ctx)?;
    differences.iter().try_for_each(output::line)?;
    match differences.len() {
        0 => Ok(()),
        count => Err(anyhow!("{count} files differ from what is generated"))
            .help("cargo xtask ci generate"),
    }
}

/// Returns the path and the text of every generated file.
fn generated(ctx: &Ctx) -> anyhow::Result<Vec<(String, String)>> {
    let workflows = workflows::all(&super::job_names()).into_iter();
    let workflows = workflows.map(|(name, text)| (format!("{FOLDER}/{name}"), text));
    let readme = files::read_to_string(&ctx.root.join(README))?;
    let readme = (README.to_owned(), documents::readme(&readme)?);
    Ok(workflows.chain([readme]).collect())
}

fn differences(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for (path, generated) in generated(ctx)? {
        let file = ctx.root.join(&path);
        if !file.is_file() {
            differences.push(format!("{path} is missing"));
            continue;
        }
        let found = files::read_to_string(&file)?;
        if found != generated {
            let line = first_difference(&found, &generated);
            differences.push(format!("{path}:{line}"));
        }
    }
    Ok(differences)
}

/// Returns the number of the first line that differs, and both lines with their ends.
fn first_difference(found: &str, generated: &str) -> String {
    let lines = found.split_inclusive('\n');
    let pairs = lines.zip(generated.split_inclusive('\n'));
    let equal = pairs.take_while(|(one, other)| one == other).count();
    let [found, generated] = [found, generated].map(|text| {
        let mut lines = text.split_inclusive('\n');
        lines.nth(equal).unwrap_or_default()
    });
    let number = equal + 1;
    format!("{number}: is {found:?}, should be {generated:?}")
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_line_that_differs_is_printed() {
        for (found, expected) in [
            ("a\nb\n", r#"2: is "b\n", should be "c\n""#),
            ("a\n", r#"2: is "", should be "c\n""#),
            ("a\r\nc\n", r#"1: is "a\r\n", should be "a\n""#),
        ] {
            assert_eq!(first_difference(found, "a\nc\n"), expected);
        }
    }
}
