//! NoETL's own image: what it is planned to be, what is in it, and the rules that it alone is held to.

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
