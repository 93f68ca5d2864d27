//! The recipe for the user repository of Arch Linux: PKGBUILD, and .SRCINFO, which makepkg derives from it.

use std::fmt::Write as _;

use super::{DESCRIPTION, Recipe};
use crate::release::packages::companions::THIRD_PARTY;
use crate::release::packages::rpm;
use crate::release::target::{Arch, Os};
use crate::release::workspace::HOMEPAGE;
use crate::release::workspace::LICENSE;

const NAME: &str = "noetl-bin";

/// Returns the version. pacman allows no hyphen in it, and takes `1.2.3rc.1` for older than `1.2.3`.
fn version(recipe: &Recipe<'_>) -> String {
    recipe.release.version.replace('-', "")
}

/// Returns pacman's name, URL and hash of each archive.
fn sources(recipe: &Recipe<'_>) -> Vec<(&'static str, String, String)> {
    let archs = [Arch::X86_64, Arch::Aarch64].into_iter();
    let found = archs.filter_map(|arch| recipe.find(Os::Linux, arch));
    let source = |it: &super::Download| {
        (
            rpm::architecture(it.target),
            recipe.url(it),
            it.sha256.to_string(),
        )
    };
    found.map(source).collect()
}

pub(super) fn pkgbuild(recipe: &Recipe<'_>) -> String {
    let (version, tag) = (version(recipe), &recipe.release.tag);
    let sources = sources(recipe);
    let archs: Vec<_> = sources
        .iter()
        .map(|(arch, ..)| format!("'{arch}'"))
        .collect();
    let archs = archs.join(" ");
    let mut text = format!(
        "# Installs the released binary; it is static and needs no other package.\n\
         pkgname={NAME}\npkgver={version}\npkgrel=1\npkgdesc='{DESCRIPTION}'\narch=({archs})\nurl='{HOMEPAGE}'\n\
         license=('{LICENSE}')\nprovides=('noetl')\nconflicts=('noetl')\noptions=('!strip' '!debug')\n"
    );
    for (arch, url, sha256) in &sources {
        writeln!(
            text,
            "source_{arch}=('{url}')\nsha256sums_{arch}=('{sha256}')"
        )
        .expect("a string takes it");
    }
    text += &format!(
        "\npackage() {{\n  cd \"noetl-{tag}-$CARCH-unknown-linux-musl\"\n  \
         install -Dm755 noetl \"$pkgdir/usr/bin/noetl\"\n  \
         install -Dm644 -t \"$pkgdir/usr/share/man/man1\" man/*.1\n  \
         install -Dm644 completions/noetl.bash \"$pkgdir/usr/share/bash-completion/completions/noetl\"\n  \
         install -Dm644 completions/_noetl \"$pkgdir/usr/share/zsh/site-functions/_noetl\"\n  \
         install -Dm644 completions/noetl.fish \"$pkgdir/usr/share/fish/vendor_completions.d/noetl.fish\"\n  \
         install -Dm644 -t \"$pkgdir/usr/share/licenses/$pkgname\" LICENSE {THIRD_PARTY}\n}}\n"
    );
    text
}

pub(super) fn srcinfo(recipe: &Recipe<'_>) -> String {
    let sources = sources(recipe);
    let mut text = format!(
        "pkgbase = {NAME}\n\tpkgdesc = {DESCRIPTION}\n\tpkgver = {}\n\tpkgrel = 1\n\turl = {HOMEPAGE}\n",
        version(recipe)
    );
    let mut line = |name: &str, value: &str| {
        writeln!(text, "\t{name} = {value}").expect("a string takes it");
    };
    for (arch, ..) in &sources {
        line("arch", arch);
    }
    line("license", LICENSE);
    line("provides", "noetl");
    line("conflicts", "noetl");
    line("options", "!strip");
    line("options", "!debug");
    for (arch, url, sha256) in &sources {
        line(&format!("source_{arch}"), url);
        line(&format!("sha256sums_{arch}"), sha256);
    }
    format!("{text}\npkgname = {NAME}\n")
}
