//! Tests of `config`.

mod config_check;
mod settings;
