//! The behaviours of `config`.

mod config;
mod config_check;
