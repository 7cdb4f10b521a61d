//! Delivery status reports (RFC 3464, RFC 6533): whatever their fields hold, reading them ends and keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    depesch_fuzz::read_bounce(&depesch_fuzz::report("delivery-status", "message/delivery-status", bytes));
});
