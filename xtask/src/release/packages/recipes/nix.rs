//! A Nix flake whose packages are the released binaries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{DESCRIPTION, Recipe};
use crate::release::target::{Arch, Os};
use crate::release::workspace::HOMEPAGE;

const SYSTEMS: [(&str, Os, Arch); 4] = [
    ("aarch64-darwin", Os::Mac, Arch::Aarch64),
    ("aarch64-linux", Os::Linux, Arch::Aarch64),
    ("x86_64-darwin", Os::Mac, Arch::X86_64),
    ("x86_64-linux", Os::Linux, Arch::X86_64),
];

pub(super) fn flake(recipe: &Recipe<'_>) -> String {
    let archives = SYSTEMS.iter().filter_map(|(system, os, arch)| {
        let download = recipe.find(*os, *arch)?;
        let hash = STANDARD.encode(download.sha256.bytes());
        let url = recipe.url(download);
        Some(format!(
            "        {system} = {{\n          url = \"{url}\";\n          hash = \"sha256-{hash}\";\n        }};\n"
        ))
    });
    FLAKE
        .replace("@DESCRIPTION@", DESCRIPTION)
        .replace("@HOMEPAGE@", HOMEPAGE)
        .replace("@VERSION@", &recipe.release.version)
        .replace("@ARCHIVES@", &archives.collect::<String>())
}

const FLAKE: &str = r##"{
  description = "@DESCRIPTION@";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { self, nixpkgs }:
    let
      archives = {
@ARCHIVES@      };
      package =
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        pkgs.stdenvNoCC.mkDerivation {
          pname = "noetl";
          version = "@VERSION@";
          src = pkgs.fetchurl archives.${system};
          nativeBuildInputs = [ pkgs.installShellFiles ];
          # The signature of a Mac binary covers its bytes.
          dontStrip = true;
          installPhase = ''
            runHook preInstall
            install -Dm755 noetl $out/bin/noetl
            installManPage man/*.1
            installShellCompletion --bash --name noetl completions/noetl.bash
            installShellCompletion --zsh completions/_noetl
            installShellCompletion --fish completions/noetl.fish
            runHook postInstall
          '';
          meta = {
            description = "@DESCRIPTION@";
            homepage = "@HOMEPAGE@";
            license = pkgs.lib.licenses.mit;
            mainProgram = "noetl";
            platforms = builtins.attrNames archives;
          };
        };
    in
    {
      packages = builtins.mapAttrs (system: _: rec {
        noetl = package system;
        default = noetl;
      }) archives;
    };
}
"##;
