//! The manifests for winget: of the version, of the installers, and of the texts.

use super::{DESCRIPTION, Recipe};
use crate::release::target::{Arch, Os};
use crate::release::workspace::{HOMEPAGE, LICENSE, REPOSITORY};

const IDENTIFIER: &str = "NoETL.NoETL";
const SCHEMA: &str = "1.6.0";

pub(super) fn manifests(recipe: &Recipe<'_>) -> [(String, String); 3] {
    let release = recipe.release;
    let document = |kind: &str, body: &str| {
        format!(
            "# yaml-language-server: $schema=https://aka.ms/winget-manifest.{kind}.{SCHEMA}.schema.json\n\
             PackageIdentifier: {IDENTIFIER}\nPackageVersion: {}\n{body}ManifestType: {kind}\nManifestVersion: {SCHEMA}\n",
            release.version
        )
    };
    let date = release.created();
    let date = date.split('T').next().unwrap_or_default();
    let mut installers = format!(
        "InstallerType: zip\nNestedInstallerType: portable\nReleaseDate: {date}\nCommands:\n  - noetl\nInstallers:\n"
    );
    for (name, arch) in [("x64", Arch::X86_64), ("arm64", Arch::Aarch64)] {
        if let Some(download) = recipe.find(Os::Windows, arch) {
            let sha256 = download.sha256.to_string().to_uppercase();
            let (url, folder) = (recipe.url(download), recipe.folder(download));
            installers += &format!(
                "  - Architecture: {name}\n    InstallerUrl: {url}\n    InstallerSha256: {sha256}\n    \
                 NestedInstallerFiles:\n      - RelativeFilePath: {folder}\\noetl.exe\n        PortableCommandAlias: noetl\n"
            );
        }
    }
    let texts = format!(
        "PackageLocale: en-US\nPublisher: NoETL\nPublisherUrl: {HOMEPAGE}\nPackageName: NoETL\nPackageUrl: {REPOSITORY}\n\
         License: {LICENSE}\nLicenseUrl: {REPOSITORY}/blob/{tag}/LICENSE\nShortDescription: {DESCRIPTION}\nMoniker: noetl\n\
         Tags:\n  - automation\n  - etl\n  - workflow\nReleaseNotesUrl: {REPOSITORY}/releases/tag/{tag}\n",
        tag = release.tag,
    );
    [
        (
            format!("{IDENTIFIER}.yaml"),
            document("version", "DefaultLocale: en-US\n"),
        ),
        (
            format!("{IDENTIFIER}.installer.yaml"),
            document("installer", &installers),
        ),
        (
            format!("{IDENTIFIER}.locale.en-US.yaml"),
            document("defaultLocale", &texts),
        ),
    ]
}
