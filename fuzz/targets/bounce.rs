//! Messages that came back in no standard's form: any octets as a whole message.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| depesch_fuzz::read_bounce(octets));
