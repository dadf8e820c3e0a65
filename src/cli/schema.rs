//! `wgfit schema`: the config's JSON Schema, out of the types that read it.

use crate::config::Config;
use crate::error::Result;

pub(super) fn run() -> Result<()> {
    super::print_json(&Config::schema())
}
