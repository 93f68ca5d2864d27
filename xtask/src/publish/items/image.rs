//! The tags of the image in its registry.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use noetl_oci::registry::PushOptions;
use noetl_oci::{KnownLayers, Reference};

use crate::host::sign_ins;
use crate::image::publish;
use crate::image::rules::ImageStandard;
use crate::publish::remotes::Remotes;
use crate::publish::request::Change;
use crate::publish::step::{Item, State, Undone};
use crate::release::verify;

/// Whether tags may point to another image before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Those of one version: they never move.
    Fixed,
    /// `latest` and the like.
    Moving,
}

/// Tags of one image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The tar in dist/.
    pub tar: Utf8PathBuf,
    /// The digest of its index.
    pub digest: String,
    /// The names with their tags; at least one.
    pub names: Vec<Reference>,
    pub kind: Tags,
}

impl Image {
    /// One for each tag. The registry's address is not part of it, so that a rehearsal has the same.
    fn planned(&self) -> Vec<Change> {
        let names = self.names.iter();
        names
            .map(|name| {
                let image = name.repository.rsplit('/').next().unwrap_or_default();
                Change::new(format!("registry PUT {image}:{}", name.tag), &self.digest)
            })
            .collect()
    }
}

impl Item for Image {
    fn name(&self) -> String {
        let tags = self.names.iter().map(|name| name.tag.as_str());
        format!("image {}", tags.collect::<Vec<_>>().join(", "))
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(self.planned())
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let client = sign_ins::client(remotes.ctx);
        let mut others = Vec::new();
        let mut there = 0;
        for name in &self.names {
            match client.repository(name).head(&name.tag)? {
                Some(head) if head.digest == self.digest => there += 1,
                Some(head) => others.push(format!("{} is {}", name.tag, head.digest)),
                None => {}
            }
        }
        let others = others.join(", ");
        Ok(match (others.is_empty(), self.kind) {
            (true, _) if there == self.names.len() => State::Done,
            (true, _) if there == 0 => State::Absent,
            (true, _) => State::Before(format!("{there} of {} tags", self.names.len())),
            (false, Tags::Moving) => State::Before(others),
            (false, Tags::Fixed) => State::Other(others),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        self.planned()
            .iter()
            .try_for_each(|it| remotes.permit(it))?;
        let standard = ImageStandard::any_release(&crate::release::target::platforms());
        let known = KnownLayers::default();
        let verified = verify::image(&self.tar, standard.rules(), &known)?;
        let options = PushOptions::default();
        let published = publish::publish(remotes.ctx, &verified, &self.names, options)?;
        let first = self.names.first().context("an image without a name")?;
        let is_same = published.digest == self.digest;
        anyhow::ensure!(
            is_same,
            "{first} is {}, not {}",
            published.digest,
            self.digest
        );
        Ok(())
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(match self.observe(remotes)? {
            State::Absent => Undone::Nothing,
            _ => Undone::Stays(format!(
                "{} stay in the registry; delete them on its page",
                self.name()
            )),
        })
    }
}
