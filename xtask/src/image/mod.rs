//! NoETL's own image: its plan, its contents, its evidence, and the rules on it that other images need not follow.

pub(crate) mod assemble;
pub(crate) mod base;
pub(crate) mod contents;
pub(crate) mod evidence;
pub(crate) mod flavours;
pub(crate) mod labels;
pub(crate) mod plan;
pub(crate) mod publish;
pub(crate) mod rules;
pub(crate) mod wheels;

mod config;
