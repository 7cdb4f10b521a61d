//! Tests of `store`.

mod backup_crash;
mod backup_damage;
mod backup_instant;
mod backup_partial;
mod backup_restore;
mod backup_rot;
mod backup_rule;
mod backup_upkeep;
mod inbound_records;
mod index_damage_running;
mod index_damage_stopped;
mod records_of_old;
mod spool;
mod store_bounded;
mod store_check;
mod store_closed;
mod store_crash;
mod store_creation;
mod store_disk;
mod store_engines;
mod store_lower_bounds;
mod store_maintenance;
mod store_old;
mod store_pages;
mod store_recover;
mod store_tables;
