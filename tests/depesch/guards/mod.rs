//! Checks that code and documents agree.

mod document_links;
mod floors;
mod lint_rules;
mod monitoring_files;
mod operating_messages;
mod soak_log_lines;
