//! What each crate has in the binary: the sizes of its functions and data, by the symbols of a build that keeps them.

use anyhow::Context as _;
use object::{Object as _, ObjectSymbol as _};

use super::parts::Parts;
use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, run};

/// Compiles `noetl` for this machine with symbols and adds the bytes of each crate.
///
/// # Errors
/// When it does not compile, or has no symbols.
pub(super) fn add(ctx: &Ctx, parts: &mut Parts) -> anyhow::Result<()> {
    let target_dir = ctx.state().join("size");
    let build = CommandLine::new("cargo").args(["build", "--profile", "dist", "-p", "noetlctl"]);
    let build = build.env("CARGO_PROFILE_DIST_STRIP", "none");
    run::run(ctx, &build.env("CARGO_TARGET_DIR", target_dir.as_str()))?;
    let path = target_dir.join(format!("dist/noetl{}", std::env::consts::EXE_SUFFIX));
    let bytes = files::read(&path)?;
    let file = object::File::parse(bytes.as_slice()).with_context(|| path.to_string())?;
    for symbol in file.symbols().filter(|symbol| symbol.size() > 0) {
        let name = symbol.name().unwrap_or_default();
        let name = krate(name).unwrap_or("not-rust");
        parts.add(format!("crates/{name}"), symbol.size());
    }
    Ok(())
}

/// Returns the crate of a mangled name: for a method of a trait, that of the type. `None` for names that are not Rust's.
fn krate(name: &str) -> Option<&str> {
    if let Some(path) = name
        .strip_prefix("_ZN")
        .or_else(|| name.strip_prefix("__ZN"))
    {
        // The legacy form: a length and an identifier, and `$LT$` for the `<` of a type.
        let digits = path.find(|letter: char| !letter.is_ascii_digit())?;
        let first = path[digits..].get(..path[..digits].parse().ok()?)?;
        let first = first.trim_start_matches('_').trim_start_matches("$LT$");
        let first = first
            .trim_start_matches("dyn$u20$")
            .trim_start_matches("$RF$");
        let end = first.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let first = &first[..end.unwrap_or(first.len())];
        return Some(first).filter(|first| !first.is_empty());
    }
    // The v0 form (RFC 2603): `C`, a disambiguator `s…_`, a length and the identifier.
    let path = name
        .strip_prefix("_R")
        .or_else(|| name.strip_prefix("__R"))?;
    let at = path.find("Cs")? + 2;
    let after = &path[at..];
    let after = &after[after.find('_')? + 1..];
    let digits = after.find(|letter: char| !letter.is_ascii_digit())?;
    let length: usize = after[..digits].parse().ok()?;
    after[digits..].trim_start_matches('_').get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_read_from_mangled_names() {
        for (name, expected) in [
            ("_ZN4core3fmt5write17h0123456789abcdefE", Some("core")),
            (
                "_ZN68_$LT$serde_json..value..Value$u20$as$u20$core..clone..Clone$GT$5clone17hE",
                Some("serde_json"),
            ),
            ("_RNvCs1234_7mycrate3foo", Some("mycrate")),
            (
                "_RNvXs_NtCsabc_10serde_json5valueNtB4_5Value",
                Some("serde_json"),
            ),
            ("sqlite3_step", None),
        ] {
            assert_eq!(krate(name), expected, "{name}");
        }
    }
}
