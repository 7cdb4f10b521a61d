//! Tests of `cli`.

mod backup_command;
mod check_command;
mod command_line;
mod demo;
mod doctor_command;
mod inbound_command;
mod index_damage_command;
mod inject_command;
mod json_changes;
mod json_schemas;
mod manual;
mod post_command;
mod release_command;
mod rsvp_command;
mod store_command;
mod template_command;
mod times;
