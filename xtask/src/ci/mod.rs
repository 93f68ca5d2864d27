//! What CI runs, as files of the forge.

pub(crate) mod workflows;
