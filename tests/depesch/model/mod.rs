//! Tests of `model`.

mod clock_jump_at_night;
mod clock_jumps;
mod clock_jumps_answers;
mod clock_jumps_kept;
mod clock_jumps_others;
mod clock_one_reading;
mod clock_unseen;
mod clock_waits;
mod unicode_words;
