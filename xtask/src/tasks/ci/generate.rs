//! `cargo xtask ci generate`: the workflows, from the target table and the list of jobs.

use anyhow::anyhow;
use clap::Args;
use noetl_help::Help as _;

use crate::ci::workflows::{self, FOLDER};
use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::tasks;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask ci generate\n  cargo xtask ci generate --check")]
pub(super) struct GenerateArgs {
    /// Write nothing; fail when a file is not what would be written, and print the first line that differs
    #[arg(long)]
    check: bool,
}

pub(super) fn run(ctx: &Ctx, args: &GenerateArgs) -> anyhow::Result<()> {
    if args.check {
        let drifted = drift(ctx)?;
        drifted.iter().try_for_each(output::line)?;
        return match drifted.len() {
            0 => Ok(()),
            count => Err(anyhow!("{count} workflows are not what is generated"))
                .help("cargo xtask ci generate"),
        };
    }
    for (name, text) in workflows::all(&tasks::ci::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        files::write(&path, text)?;
        output::line(path)?;
    }
    Ok(())
}

/// Returns where each workflow first differs from what is generated; nothing when none does.
pub(crate) fn drift(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for (name, text) in workflows::all(&tasks::ci::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        if !path.is_file() {
            differences.push(format!("{FOLDER}/{name} is missing"));
            continue;
        }
        let found = files::read_to_string(&path)?;
        if found != text {
            let line = first_difference(&found, &text);
            differences.push(format!("{FOLDER}/{name}:{line}"));
        }
    }
    Ok(differences)
}

/// Returns the number of the first line that differs, and both lines.
fn first_difference(found: &str, generated: &str) -> String {
    let (mut one, mut other) = (found.lines(), generated.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (one.next(), other.next()) {
            (None, None) => return format!("{number}: the line ends differ"),
            (found, generated) if found != generated => {
                let shown =
                    |line: Option<&str>| line.map_or("nothing".to_owned(), |it| format!("`{it}`"));
                let (found, generated) = (shown(found), shown(generated));
                return format!("{number}: it is {found}, and {generated} is generated");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(
            first_difference("a\nb\n", "a\nc\n"),
            "2: it is `b`, and `c` is generated"
        );
        assert_eq!(
            first_difference("a\n", "a\nb\n"),
            "2: it is nothing, and `b` is generated"
        );
        assert_eq!(first_difference("a\r\n", "a\n"), "2: the line ends differ");
    }
}
