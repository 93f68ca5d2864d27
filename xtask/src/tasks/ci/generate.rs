//! `cargo xtask ci generate`: writes the workflows, from the list of targets and the list of jobs.

use anyhow::anyhow;
use clap::Args;
use noetl_help::Help as _;

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
    for (name, text) in workflows::all(&super::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        files::write(&path, text)?;
        output::line(path)?;
    }
    Ok(())
}

/// Prints the first difference of each workflow from what would be written, and fails when there is one.
pub(super) fn check(ctx: &Ctx) -> anyhow::Result<()> {
    let differences = differences(ctx)?;
    differences.iter().try_for_each(output::line)?;
    match differences.len() {
        0 => Ok(()),
        count => Err(anyhow!("{count} workflows differ from what is generated"))
            .help("cargo xtask ci generate"),
    }
}

fn differences(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for (name, generated) in workflows::all(&super::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        if !path.is_file() {
            differences.push(format!("{FOLDER}/{name} is missing"));
            continue;
        }
        let found = files::read_to_string(&path)?;
        if found != generated {
            let line = first_difference(&found, &generated);
            differences.push(format!("{FOLDER}/{name}:{line}"));
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
