//! The behaviours of `config`.

mod config_check;
mod settings;
