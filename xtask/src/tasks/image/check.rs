//! `cargo xtask image check`: the rules over a layout, a tar or an image in a registry.

use clap::Args;

use crate::check::image as rules_on_images;
use crate::check::rules;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::target::Platform;
use crate::tasks::image::{in_order, open, outputs};
use crate::verify;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask image check                                   what `image` made\n  \
    cargo xtask image check dist/noetl-v0.1.0-image.tar\n  cargo xtask image check 127.0.0.1:5000/noetl:0.1.0\n  \
    cargo xtask image check --explain P6"
)]
pub(super) struct CheckArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Platforms it should be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = Platform::parse)]
    platforms: Vec<Platform>,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
    /// Print every rule and stop
    #[arg(long, conflicts_with = "explain")]
    list: bool,
    /// Print what a rule is for and stop
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
}

pub(super) fn run(ctx: &Ctx, args: &CheckArgs) -> anyhow::Result<()> {
    if args.list {
        rules::all().for_each(|rule| {
            println!(
                "{:<4}{:<8}{}",
                rule.id,
                rule.severity.to_string(),
                rule.title
            )
        });
        return Ok(());
    }
    if let Some(id) = &args.explain {
        let unknown = || anyhow::anyhow!("there is no rule `{id}`");
        let rule = rules::find(id)
            .ok_or_else(unknown)
            .help("cargo xtask image check --list")?;
        println!(
            "{} ({}): {}\nwithout it: {}",
            rule.id, rule.severity, rule.title, rule.symptom
        );
        return Ok(());
    }
    let image = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let findings = rules_on_images::check(&open(&image)?, &in_order(&args.platforms));
    if args.json {
        return verify::conclude_json(&findings, &image);
    }
    verify::conclude(&findings, &image)?;
    println!("{image}: no rule is broken");
    Ok(())
}
