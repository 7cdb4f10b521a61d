//! Tests of `subscribers`.

mod bounce_address_change;
mod bounce_doubted;
mod bounce_report;
mod consent_report;
mod export_round_trip;
mod import_again;
mod import_columns;
mod import_dry_run;
mod import_encodings;
mod import_formats;
mod import_hostile;
mod import_never_revives;
mod import_rejects;
mod import_rejects_file;
mod import_states;
mod people_search;
mod report_snapshots;
mod suspended;
mod use_case_answer;
mod use_case_ask_limits;
mod use_case_complain;
mod use_case_decide;
mod use_case_leave;
mod use_case_left_since;
mod use_case_pause;
mod use_case_subscribe;
