//! The formula for a Homebrew tap. It installs the binaries, so that nothing is compiled.

use std::fmt::Write as _;

use super::{DESCRIPTION, Download, Recipe};
use crate::release::target::{Arch, Os};
use crate::release::workspace::HOMEPAGE;
use crate::release::workspace::LICENSE;

/// Homebrew's names of the versions of macOS.
const MACOS: &[(u32, &str)] = &[
    (11, "big_sur"),
    (12, "monterey"),
    (13, "ventura"),
    (14, "sonoma"),
    (15, "sequoia"),
    (26, "tahoe"),
];

pub(super) fn formula(recipe: &Recipe<'_>) -> String {
    let mut text = format!(
        "class Noetl < Formula\n  desc \"{DESCRIPTION}\"\n  homepage \"{HOMEPAGE}\"\n  \
         license \"{LICENSE}\"\n\n  livecheck do\n    url :stable\n    strategy :github_latest\n  end\n"
    );
    for (os, name) in [(Os::Mac, "macos"), (Os::Linux, "linux")] {
        if recipe.has(os) {
            text += &system(recipe, os, name);
        }
    }
    text += r##"
  def install
    bin.install "noetl"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/noetl.bash" => "noetl"
    zsh_completion.install "completions/_noetl"
    fish_completion.install "completions/noetl.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/noetl --version")
  end
end
"##;
    text
}

fn system(recipe: &Recipe<'_>, os: Os, name: &str) -> String {
    let mut text = format!("\n  on_{name} do\n");
    let minimum = recipe
        .downloads
        .iter()
        .filter_map(|it| it.macos_minimum)
        .max();
    let minimum = minimum.and_then(|(major, _)| MACOS.iter().find(|(known, _)| *known >= major));
    if let (Os::Mac, Some((_, minimum))) = (os, minimum) {
        // Without this, the formula would install a program that does not start.
        writeln!(text, "    depends_on macos: :{minimum}\n").expect("a string takes it");
    }
    let archive = |word: &str, download: &Download| {
        let (url, sha256) = (recipe.url(download), download.sha256);
        format!("    on_{word} do\n      url \"{url}\"\n      sha256 \"{sha256}\"\n    end\n")
    };
    let archives = [("arm", Arch::Aarch64), ("intel", Arch::X86_64)];
    let archives = archives.into_iter().filter_map(|(word, arch)| {
        let download = recipe.find(os, arch)?;
        Some(archive(word, download))
    });
    text += &archives.collect::<String>();
    text + "  end\n"
}
