//! Tests of `events`.

mod guest_list_snapshots;
mod rsvp_calendar;
mod rsvp_changed_event;
mod rsvp_export;
mod rsvp_forged;
mod rsvp_invitation;
mod rsvp_own_address;
mod rsvp_recorded;
mod rsvp_uncertain;
