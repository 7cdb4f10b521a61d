//! Messages that came back in no standard's form: any bytes as a whole message.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| depesch_fuzz::read_bounce(bytes));
